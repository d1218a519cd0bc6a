import { describe, expect, it } from '@jest/globals';
import { aGitRepository, gitDiffOutput, type GitRepositoryFixture } from '@drydock/testkit';
import fc from 'fast-check';
import { countLines, type FileDiff, lookUpLine, rowsOf } from './file-diff.ts';
import { parseRawDiff } from './raw-diff.ts';
import { parseUnifiedDiff } from './unified-diff.ts';

const filesPerDiff = 25;

const tricky = [
  '-- a/x',
  '++ b/x',
  '@@ -1 +1 @@',
  '@@ -1,2 +1,2 @@ x',
  'diff --git a/x b/x',
  '\\ No newline at end',
  '+',
  '-',
];
const line = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', '', '}', '  return;') },
  { weight: 2, arbitrary: fc.constantFrom(...tricky) },
  { weight: 1, arbitrary: fc.constantFrom('a\r', 'b\rc', 'd\u2028e', 'f\f', '\ufeffg', '\u{1f600}', '\te\u0301') },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll(/[\n\0]/g, '')),
  },
);

const edit = fc.record({ at: fc.nat(60), remove: fc.nat(5), insert: fc.array(line, { maxLength: 5 }) });
const version = fc.record({
  lines: fc.array(line, { maxLength: 60 }),
  edits: fc.array(edit, { maxLength: 4 }),
  oldEndsWithoutNewline: fc.boolean(),
  newEndsWithoutNewline: fc.boolean(),
});
type Version = typeof version extends fc.Arbitrary<infer T> ? T : never;

function contents({ lines, edits, oldEndsWithoutNewline, newEndsWithoutNewline }: Version): readonly [string, string] {
  const after = edits.reduce((kept, { at, remove, insert }) => kept.toSpliced(at, remove, ...insert), lines);
  return [join(lines, oldEndsWithoutNewline), join(after, newEndsWithoutNewline)];
}

function join(lines: readonly string[], endsWithoutNewline: boolean): string {
  const text = lines.map((part) => `${part}\n`).join('');
  return endsWithoutNewline ? text.slice(0, -1) : text;
}

/** Lines as git counts them, without their line feeds. */
function linesOf(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

/** The new text, made of the old one and the rows alone. */
function apply(file: FileDiff, oldText: string): string {
  const oldLines = linesOf(oldText);
  const result: string[] = [];
  let taken = 0;
  for (const hunk of file.hunks) {
    const kept = (hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1) - taken;
    result.push(...oldLines.slice(taken, taken + kept));
    taken += kept + hunk.oldLines;
    for (const row of rowsOf(file, hunk)) if (row.kind !== 'removed') result.push(row.text);
  }
  result.push(...oldLines.slice(taken));
  const isLastShown = taken >= oldLines.length && file.hunks.length > 0;
  const endsWithoutNewline = isLastShown ? file.newEndsWithoutNewline : !oldText.endsWith('\n');
  return join(result, result.length > 0 && endsWithoutNewline);
}

async function diffOf(
  repository: GitRepositoryFixture,
  pairs: readonly (readonly [string, string])[],
  contextLines: number,
) {
  const files = (side: 0 | 1) =>
    pairs.map((pair, index) => [`f${String(index).padStart(3, '0')}`, pair[side]] as const);
  const base = await repository.commit(files(0), { parents: [] });
  const head = await repository.commit(files(1));
  const { raw, patch } = await gitDiffOutput(repository, base, head, { contextLines });
  return parseUnifiedDiff(patch, parseRawDiff(raw));
}

function expectEveryLineFound(file: FileDiff, oldText: string, newText: string): void {
  const sides = { old: linesOf(oldText), new: linesOf(newText) };
  for (const side of ['old', 'new'] as const) {
    const other = side === 'old' ? 'new' : 'old';
    sides[side].forEach((text, index) => {
      const point = lookUpLine(file, side, index + 1);
      const pair = side === 'old' ? point?.newLine : point?.oldLine;
      const own = side === 'old' ? point?.oldLine : point?.newLine;
      expect(own).toBe(index + 1);
      if (pair === null) expect(point?.kind).toBe(side === 'old' ? 'removed' : 'added');
      else expect(sides[other][(pair ?? 0) - 1]).toBe(text);
    });
  }
}

describe('parseUnifiedDiff, whatever was edited', () => {
  it('agrees with the texts of both sides', async () => {
    await using repository = await aGitRepository();

    await fc.assert(
      fc.asyncProperty(
        fc.array(version, { minLength: filesPerDiff, maxLength: filesPerDiff }),
        fc.nat(4),
        async (versions, contextLines) => {
          const pairs = versions.map(contents);

          const files = await diffOf(repository, pairs, contextLines);

          const changed = pairs.filter(([oldText, newText]) => oldText !== newText);
          expect(files).toHaveLength(changed.length);
          for (const file of files) {
            const [oldText, newText] = pairs[Number(file.newPath.slice(1))] ?? ['', ''];
            expect(apply(file, oldText)).toBe(newText);
            for (const row of rowsOf(file)) {
              if (row.oldLine !== null) expect(linesOf(oldText)[row.oldLine - 1]).toBe(row.text);
              if (row.newLine !== null) expect(linesOf(newText)[row.newLine - 1]).toBe(row.text);
            }
            expectEveryLineFound(file, oldText, newText);
            expect(linesOf(newText)).toHaveLength(countLines(Buffer.from(newText)));
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
