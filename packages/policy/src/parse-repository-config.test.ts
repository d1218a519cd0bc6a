import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseRepositoryConfig } from './parse-repository-config.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

describe('parseRepositoryConfig', () => {
  it('reads every wish', () => {
    const text = [
      '# reviews of this repository',
      'enabled: true',
      'drafts: skip',
      'skipLabels: [wip, "no review"]',
      'minSeverity: high',
      'minConfidence: 0.5',
      'maxComments: 3',
      'suggestions: false',
      'ignorePaths:',
      '  - "**/*.generated.ts"',
      '  - vendor/**',
      'maxUsdPerRun: 0.25',
    ].join('\n');

    expect(parseRepositoryConfig(text)).toEqual({
      kind: 'valid',
      config: {
        v: 1,
        enabled: true,
        drafts: 'skip',
        skipLabels: ['wip', 'no review'],
        minSeverity: 'high',
        minConfidence: 0.5,
        maxComments: 3,
        suggestions: false,
        ignorePaths: ['**/*.generated.ts', 'vendor/**'],
        maxUsdPerRun: 0.25,
      },
    });
  });

  it.each([
    ['empty', ''],
    ['only a comment', '# nothing\n'],
    ['only a document start', '---\n'],
  ])('takes a file that is %s as no wishes', (_, text) => {
    expect(parseRepositoryConfig(text)).toEqual({ kind: 'valid', config: { v: 1 } });
  });

  it('names an unknown key with the nearest known one, by line and column', () => {
    expect(parseRepositoryConfig('enabled: true\n\nminSeverty: high\n')).toEqual({
      kind: 'invalid',
      problems: [
        { line: 3, column: 1, width: 10, path: 'minSeverty', message: 'unknown key', didYouMean: 'minSeverity' },
      ],
    });
  });

  it('offers no key when none is near', () => {
    expect(parseRepositoryConfig('color: blue\n')).toEqual({
      kind: 'invalid',
      problems: [{ line: 1, column: 1, width: 5, path: 'color', message: 'unknown key' }],
    });
  });

  it('points at the value that is wrong, and tells of every one in the order of lines', () => {
    const parsed = parseRepositoryConfig('maxComments: many\nignorePaths:\n  - docs/**\n  - 7\nminConfidence: 3\n');

    expect(parsed).toMatchObject({
      kind: 'invalid',
      problems: [
        { line: 1, column: 14, path: 'maxComments' },
        { line: 4, column: 5, path: 'ignorePaths.1' },
        { line: 5, column: 16, path: 'minConfidence' },
      ],
    });
  });

  it('never repeats a value, which may be a secret', () => {
    const parsed = parseRepositoryConfig('minSeverity: hunter2\nmaxComments: hunter2\nskipLabels: hunter2\n');

    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });

  it.each([
    ['a duplicate key', 'enabled: true\nenabled: false\n', 2],
    ['an alias', 'skipLabels: &a [x]\nignorePaths: *a\n', 1],
    ['a merge key', 'enabled: true\n<<: {drafts: skip}\n', 2],
    ['a custom tag', 'enabled: !!js/function "x"\n', 1],
    ['a known tag', 'enabled: !!str true\n', 1],
    ['two documents', 'enabled: true\n---\nenabled: false\n', 2],
    ['broken syntax', 'enabled: [true\n', 2],
    ['a key that is no text', '? [a, b]\n: 1\n', 1],
    ['a list at the top', '- enabled\n', 1],
    ['a text at the top', 'enabled', 1],
    ['a tab as indentation', 'ignorePaths:\n\t- a\n', 2],
    ['__proto__', '__proto__: {enabled: false}\n', 1],
  ])('refuses %s', (_, text, line) => {
    const parsed = parseRepositoryConfig(text);

    expect(parsed.kind).toBe('invalid');
    expect(parsed.kind === 'invalid' && parsed.problems[0]?.line).toBe(line);
  });

  it.each([
    ['flow', '['.repeat(30_000)],
    ['block', '- '.repeat(30_000)],
    ['maps', '{a: '.repeat(15_000)],
    ['indented', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('refuses deep nesting (%s) without falling over it', (_, text) => {
    expect(parseRepositoryConfig(text)).toMatchObject({ kind: 'invalid' });
  });

  it('refuses a file over the size cap', () => {
    expect(parseRepositoryConfig(`# ${'x'.repeat(70_000)}\n`)).toMatchObject({
      kind: 'invalid',
      problems: [{ line: 1, column: 1, path: '' }],
    });
  });

  it('answers to any text with a place inside it', () => {
    const pieces = fc.constantFrom(
      'enabled',
      ': ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '!!x ',
      '"',
      '#',
      '  ',
      '|',
      '>',
      'é',
      '\r\n',
      '? ',
      '%YAML 1.1\n',
      '---',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: anyCharacter }),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (text) => {
          const parsed = parseRepositoryConfig(text);
          if (parsed.kind === 'valid') return;
          expect(parsed.problems.length).toBeGreaterThan(0);
          for (const { line, column } of parsed.problems) {
            expect(line).toBeGreaterThanOrEqual(1);
            expect(column).toBeGreaterThanOrEqual(1);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
