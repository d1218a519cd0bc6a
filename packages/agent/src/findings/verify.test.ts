import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkQuote } from './verify.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

const lines = ['function add(a, b) {', '  return a - b;', '}', '', 'add(1, 2);', '  return a - b;'];

describe('checkQuote', () => {
  it('confirms code that stands there', () => {
    expect(
      checkQuote(lines, { startLine: 1, endLine: 2, quotedCode: 'function add(a, b) {\n  return a - b;' }),
    ).toEqual({
      kind: 'confirmed',
      code: 'function add(a, b) {\n  return a - b;',
    });
  });

  it('says where the code does stand', () => {
    expect(checkQuote(lines, { startLine: 4, endLine: 4, quotedCode: '  return a - b;' })).toEqual({
      kind: 'elsewhere',
      starts: [2, 6],
      lineCount: 1,
    });
  });

  it('says that a range and its quote differ in length', () => {
    expect(checkQuote(lines, { startLine: 1, endLine: 3, quotedCode: '  return a - b;' })).toMatchObject({
      kind: 'elsewhere',
      starts: [2, 6],
    });
  });

  it('tells what stands there instead', () => {
    expect(checkQuote(lines, { startLine: 2, endLine: 2, quotedCode: 'return a * b;' })).toEqual({
      kind: 'differs',
      standing: ['  return a - b;'],
    });
  });

  it('minds the indentation but not white space at line ends', () => {
    expect(checkQuote(lines, { startLine: 2, endLine: 2, quotedCode: 'return a - b;' }).kind).toBe('differs');
    expect(checkQuote(['x = 1;  \t'], { startLine: 1, endLine: 1, quotedCode: 'x = 1;\n' })).toEqual({
      kind: 'confirmed',
      code: 'x = 1;  \t',
    });
  });

  it('keeps the carriage returns of the file', () => {
    expect(checkQuote(['a\r', 'b\r'], { startLine: 1, endLine: 2, quotedCode: 'a\nb' })).toEqual({
      kind: 'confirmed',
      code: 'a\r\nb\r',
    });
  });

  it('matches hidden characters as they were shown', () => {
    expect(checkQuote(['if (a\u202e)'], { startLine: 1, endLine: 1, quotedCode: 'if (a⟨U+202E⟩)' })).toEqual({
      kind: 'confirmed',
      code: 'if (a\u202e)',
    });
  });

  it('refuses blank quotes and lines that do not exist', () => {
    expect(checkQuote(lines, { startLine: 4, endLine: 4, quotedCode: '' })).toEqual({ kind: 'blank' });
    expect(checkQuote(lines, { startLine: 6, endLine: 7, quotedCode: 'x' })).toEqual({
      kind: 'no-such-lines',
      lineCount: 6,
    });
  });

  it('confirms every range of any file when it is quoted as it is', () => {
    const file = fc.array(
      fc.string({ unit: anyCharacter }).map((line) => line.replaceAll('\n', '')),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(file, fc.nat(), fc.nat(), (content, at, length) => {
        const startLine = (at % content.length) + 1;
        const endLine = Math.min(content.length, startLine + (length % 5));
        const code = content.slice(startLine - 1, endLine).join('\n');
        fc.pre(checkQuote(content, { startLine, endLine, quotedCode: code }).kind !== 'blank');

        expect(checkQuote(content, { startLine, endLine, quotedCode: code })).toEqual({ kind: 'confirmed', code });
      }),
    );
  });
});
