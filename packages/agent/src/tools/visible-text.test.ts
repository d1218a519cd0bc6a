import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { holdsSpelledCharacter, unspell, visibleLine, visibleText } from './visible-text.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

describe('visibleLine', () => {
  it.each([
    ['bidi override', 'a\u202eb', 'a⟨U+202E⟩b'],
    ['zero width space', 'a\u200bb', 'a⟨U+200B⟩b'],
    ['tag letter', 'a\u{e0041}', 'a⟨U+E0041⟩'],
    ['variation selector', 'a\ufe0f', 'a⟨U+FE0F⟩'],
    ['high variation selector', '\u{e0100}', '⟨U+E0100⟩'],
    ['word joiner', '\u2060', '⟨U+2060⟩'],
    ['Hangul filler', '\u3164\uffa0', '⟨U+3164⟩⟨U+FFA0⟩'],
    ['soft hyphen', '\u00ad', '⟨U+00AD⟩'],
    ['byte order mark', '\ufeff', '⟨U+FEFF⟩'],
    ['escape', '\u001b[31m', '⟨U+001B⟩[31m'],
    ['NUL', '\0', '⟨U+0000⟩'],
    ['C1 control', '\u009b', '⟨U+009B⟩'],
    ['carriage return inside', 'a\rb', 'a⟨U+000D⟩b'],
    ['line separator', 'a\u2028b', 'a⟨U+2028⟩b'],
    ['lone surrogate', 'a\ud800', 'a⟨U+D800⟩'],
  ])('spells out a %s', (_, text, shown) => {
    expect(visibleLine(text)).toBe(shown);
  });

  it('leaves tabs, wide characters and the line ending alone', () => {
    expect(visibleLine('\tünï → 漢字 👍\r')).toBe('\tünï → 漢字 👍');
  });

  it('gives well-formed text without anything hidden, for any input', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        const shown = visibleText(text);

        expect(shown.isWellFormed()).toBe(true);
        expect(shown.replace(/[\t\n]/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/u);
        expect(visibleText(shown)).toBe(shown);
      }),
    );
  });
});

describe('unspell', () => {
  it('gives back what was spelled out', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: anyCharacter }).map((text) => text.replace(/\r/g, '')),
        (text) => {
          fc.pre(!holdsSpelledCharacter(text));
          expect(unspell(visibleText(text))).toBe(text);
        },
      ),
    );
    expect(unspell('⟨U+FFFFFF⟩ ⟨U+20⟩')).toBe('⟨U+FFFFFF⟩ ⟨U+20⟩');
  });
});

describe('holdsSpelledCharacter', () => {
  it('knows its own spelling', () => {
    expect(holdsSpelledCharacter(visibleLine('x\u202e'))).toBe(true);
    expect(holdsSpelledCharacter('plain')).toBe(false);
  });
});
