import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  countLines,
  type DiffRefs,
  type FileDiff,
  findFileDiff,
  type LineClaim,
  type LineCounts,
  placeLines,
  rowsOf,
} from '@drydock/core';
import { toGitLabPosition } from '@drydock/forge';
import { type GitRepository, ObjectReader, readDiff, readLog } from '@drydock/git';
import {
  aGitRepository,
  checkPosition,
  fillWithHistory,
  type HistoryHabits,
  loadVersionDiff,
  type PositionCheck,
  type VersionDiff,
} from '@drydock/testkit';

const never = new AbortController().signal;
const searchPath = process.env['PATH'] ?? '';

const histories: Readonly<Record<string, HistoryHabits>> = {
  'one of plain code and many renames': { seed: 1, commits: 60, renames: 0.4 },
  'one of CRLF, missing line feeds and names in other scripts': {
    ...{ seed: 2, commits: 60, carriageReturns: 0.7, withoutLastNewline: 0.3, oddPaths: 0.6, renames: 0.1 },
  },
  'one of submodules, links, binaries, modes and lines that look like diffs': {
    ...{ seed: 3, commits: 60, oddKinds: 0.3, oddLines: 0.5, oddPaths: 0.3, renames: 0.2, withoutLastNewline: 0.1 },
  },
};

/** A change as both the product and the fake see it, and the texts of its files as they were committed. */
interface Change {
  readonly files: readonly FileDiff[];
  readonly diff: VersionDiff;
  readonly refs: DiffRefs;
  readonly lines: (oid: string) => Promise<readonly string[]>;
}

interface Seen {
  inline: number;
  unchanged: number;
  ranges: number;
  wholeFiles: number;
}

async function readChange(
  repo: GitRepository,
  reader: ObjectReader,
  baseSha: string,
  headSha: string,
): Promise<Change> {
  const [files, diff] = await Promise.all([
    readDiff({ repo, baseSha, headSha }, never),
    loadVersionDiff({ repoDir: repo.gitDir, baseSha, headSha }),
  ]);
  const lines = async (oid: string) => {
    const read = await reader.read(oid, { maxBytes: 50_000_000, signal: never });
    if (read.kind !== 'found') return [];
    const lines = splitLines(read.content);
    expect(countLines(read.content)).toBe(lines.length);
    return lines;
  };
  return { files, diff, refs: { baseSha, startSha: baseSha, headSha }, lines };
}

function splitLines(content: Buffer): string[] {
  const lines: string[] = [];
  for (let start = 0; start < content.length;) {
    const end = content.indexOf(10, start);
    lines.push(content.toString('utf8', start, end < 0 ? content.length : end));
    start = end < 0 ? content.length : end + 1;
  }
  return lines;
}

function check(
  { files, diff, refs }: Change,
  claim: LineClaim,
  counts?: LineCounts,
): PositionCheck & { kind: 'accepted' } {
  const placement = placeLines(claim, findFileDiff(files, claim), counts);
  if (placement.kind === 'summary') throw new Error(`${JSON.stringify(claim)} went to the summary: ${placement.why}`);
  const position = toGitLabPosition(placement, refs);
  const shas = { base_sha: refs.baseSha, start_sha: refs.startSha, head_sha: refs.headSha };
  const checked = checkPosition({ diff, refs: shas, position });
  if (checked.kind === 'refused') {
    throw new Error(`${JSON.stringify(claim)} at ${JSON.stringify(position)} was refused: ${checked.message}`);
  }
  return checked;
}

/** Every row of a file, every line beside them, and ranges that begin at each of them. */
async function checkFile(change: Change, file: FileDiff, seen: Seen): Promise<void> {
  const isText = !file.isBinary && !file.isSubmodule && !file.isSymlink && file.rows.count > 0;
  const texts = { old: await change.lines(file.oldOid), new: await change.lines(file.newOid) };
  const counts = { old: texts.old.length, new: texts.new.length };
  if (!isText) {
    const side = file.status === 'deleted' ? 'old' : 'new';
    const claim = { path: file.newPath, side, startLine: 1, endLine: 1 } as const;
    expect(check(change, claim, counts)).toMatchObject({ side: 'file' });
    seen.wholeFiles += 1;
    return;
  }
  for (const { kind, oldLine, newLine } of rowsOf(file)) {
    for (const [side, line] of [['old', oldLine] as const, ['new', newLine] as const]) {
      if (line === null) continue;
      const path = side === 'old' ? file.oldPath : file.newPath;
      const checked = check(change, { path, side, startLine: line, endLine: line });
      expect(checked.text).toBe(texts[side][line - 1]);
      expect(checked.side).toBe({ added: 'new', removed: 'old', context: 'context' }[kind]);
      seen.inline += 1;
      const startLine = Math.max(1, line - (line % 7));
      if (startLine === line) continue;
      const range = check(change, { path, side, startLine, endLine: line }, counts);
      expect(range.text).toBe(texts[side][line - 1]);
      expect(range.rangeTexts[0]).toBe(texts[side][startLine - 1]);
      expect(range.rangeTexts).toEqual(expect.arrayContaining(texts[side].slice(startLine - 1, line)));
      seen.ranges += 1;
    }
  }
  checkUnchanged(change, file, texts, seen);
}

/** The lines that no row shows, and the first line past the end. */
function checkUnchanged(
  change: Change,
  file: FileDiff,
  texts: { old: readonly string[]; new: readonly string[] },
  seen: Seen,
) {
  const counts = { old: texts.old.length, new: texts.new.length };
  const shown = new Set(Array.from(rowsOf(file), (row) => row.newLine));
  const path = file.newPath;
  texts.new.forEach((text, index) => {
    const line = index + 1;
    if (file.status === 'deleted' || shown.has(line)) return;
    expect(check(change, { path, side: 'new', startLine: line, endLine: line }, counts).text).toBe(text);
    seen.unchanged += 1;
  });
  for (const side of ['old', 'new'] as const) {
    const line = counts[side] + 1;
    const claim = { path: side === 'old' ? file.oldPath : path, side, startLine: line, endLine: line };
    expect(check(change, claim, counts).side).toBe('file');
    expect(check(change, claim).side).toBe('file');
  }
}

async function checkHistory(repo: GitRepository, pairs: readonly (readonly [string, string])[]): Promise<Seen> {
  await using reader = new ObjectReader({ repo });
  const seen: Seen = { inline: 0, unchanged: 0, ranges: 0, wholeFiles: 0 };
  for (const [baseSha, headSha] of pairs) {
    const change = await readChange(repo, reader, baseSha, headSha);
    expect(change.files.map((file) => file.newPath).sort()).toEqual(
      [...new Set(change.diff.files.map((file) => file.newPath))].sort(),
    );
    for (const file of change.files) await checkFile(change, file, seen);
  }
  return seen;
}

/** Each commit with the one before, and some with one long before. */
function pairsOf(commits: readonly string[]): (readonly [string, string])[] {
  return commits.flatMap((head, index) => {
    const before = [index - 1, ...(index % 10 === 0 ? [index - 10] : [])];
    return before.flatMap((each) => (commits[each] === undefined ? [] : [[commits[each], head] as const]));
  });
}

describe('every line of every change of a history has its position', () => {
  it.each(Object.entries(histories))(
    '%s',
    async (_, habits) => {
      await using fixture = await aGitRepository();
      const commits = await fillWithHistory(fixture, habits);

      const seen = await checkHistory({ gitDir: fixture.gitDir, searchPath }, pairsOf(commits));

      expect(seen.inline).toBeGreaterThan(10_000);
      expect(seen.ranges).toBeGreaterThan(5_000);
      expect(seen.unchanged).toBeGreaterThan(5_000);
      expect(seen.wholeFiles).toBeGreaterThan(10);
    },
    120_000,
  );

  it('our own, where the code stands in a repository', async () => {
    const found = await promisify(execFile)('git', ['rev-parse', '--absolute-git-dir', 'HEAD'], {
      cwd: new URL('.', import.meta.url),
    }).catch(() => null);
    const [gitDir, head] = found?.stdout.trim().split('\n') ?? [];
    if (gitDir === undefined || head === undefined) return; // An unpacked archive has no history.
    const repo = { gitDir, searchPath };
    const log = await readLog({ repo, head, maxCount: 15 }, never);
    const isHere = new Set(log.map(({ sha }) => sha));
    const pairs = log.flatMap(({ sha, parents }) =>
      parents.filter((each) => isHere.has(each)).map((each) => [each, sha] as const),
    );

    const seen = await checkHistory(repo, pairs);

    expect(seen.inline).toBeGreaterThan(0);
  });
});
