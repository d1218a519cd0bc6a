import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dropHiddenCharacters, hasHiddenCharacters, showHiddenCharacters } from './hidden-characters.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

const hidden = [
  ['escape', '\u001b'],
  ['carriage return', '\r'],
  ['delete', '\u007f'],
  ['control sequence introducer of C1', '\u009b'],
  ['soft hyphen', '\u00ad'],
  ['right-to-left override', '\u202e'],
  ['isolate', '\u2066'],
  ['zero-width space', '\u200b'],
  ['line separator', '\u2028'],
  ['combining grapheme joiner', '\u034f'],
  ['Hangul filler', '\u3164'],
  ['variation selector', '\ufe0f'],
  ['supplementary variation selector', '\u{e0100}'],
  ['tag', '\u{e0041}'],
  ['code point that is to be ignored once it is given out', '\u{e0fff}'],
  ['blank braille', '\u2800'],
  ['private use', '\ue000'],
] as const;

describe('hidden characters', () => {
  it.each(hidden)('are told for %s', (_name, character) => {
    const text = `a${character}b`;

    expect(hasHiddenCharacters(text)).toBe(true);
    expect(showHiddenCharacters(text)).toMatch(/^a‹U\+[0-9A-F]{4,6}›b$/);
    expect(dropHiddenCharacters(text)).toBe('ab');
  });

  it('are not what people write', () => {
    const text = 'ä e\u0301 名前 한국 😀 – “x” ±\tz\n';

    expect(hasHiddenCharacters(text)).toBe(false);
    expect(showHiddenCharacters(text)).toBe(text);
  });

  it('are gone from whatever is shown', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        expect(hasHiddenCharacters(showHiddenCharacters(text))).toBe(false);
        expect(hasHiddenCharacters(dropHiddenCharacters(text))).toBe(false);
      }),
    );
  });
});
