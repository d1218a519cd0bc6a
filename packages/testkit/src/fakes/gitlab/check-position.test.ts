import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkPosition, type DiffPosition, type PositionCheck } from './check-position.ts';
import { GitRepository } from './git-repository.ts';
import { findRow, lineCode, type VersionDiff } from './version-diff.ts';

const refs = { base_sha: 'b'.repeat(40), start_sha: 'c'.repeat(40), head_sha: 'd'.repeat(40) };
const base = Array.from({ length: 30 }, (_, index) => `line ${index + 1}\n`).join('');
const head = base.replace('line 10\n', 'ten\nten and a half\n').replace('line 20\n', '');

let dir: string;
let diff: VersionDiff;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'check-position-'));
  const repository = await GitRepository.create(dir, 'main');
  const files = {
    a: base,
    'old/name': base,
    gone: 'gone\n',
    'only/moved': base,
    link: 'text\n',
    bin: Buffer.from([0]),
  };
  const baseSha = await repository.commit(null, { files: { ...files, script: 'x\n' } });
  const headSha = await repository.commit(baseSha, {
    files: {
      a: head,
      'old/name': null,
      'new/name': base.replace('line 5\n', 'five\n'),
      gone: null,
      fresh: 'fresh\n',
      'only/moved': null,
      'was/moved': base,
      link: { content: 'a', mode: '120000' },
      bin: Buffer.from([0, 1]),
      script: { content: 'x\n', mode: '100755' },
    },
  });
  diff = await repository.diff(baseSha, headSha, null);
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const check = (position: Partial<DiffPosition>): PositionCheck => {
  const whole = { ...refs, position_type: 'text', old_path: 'a', new_path: 'a', ...position };
  return checkPosition({ diff, refs, position: whole });
};

function code(path: string, oldLine: number | null, newLine: number | null): string {
  const file = diff.files.find((candidate) => candidate.newPath === path);
  const row = file === undefined ? null : findRow(file, oldLine, newLine);
  if (file === undefined || row === null) throw new Error(`no row ${oldLine}/${newLine} in ${path}`);
  return lineCode(file, row);
}

const noLine = `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]}`;
const incomplete = '400 Bad request - Note {:position=>["is incomplete"]}';
const both = `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"], :position=>["is incomplete"]}`;
const badSchema = '400 Bad request - Note {:position=>["must be a valid json schema"]}';

describe('checkPosition', () => {
  it.each([
    ['an added line', { new_line: 11 }, 'ten and a half', 'new'],
    ['a removed line', { old_line: 10 }, 'line 10', 'old'],
    ['an unchanged line inside a hunk', { old_line: 9, new_line: 9 }, 'line 9', 'context'],
    ['an unchanged line behind a change', { old_line: 11, new_line: 12 }, 'line 11', 'context'],
    ['a line above all hunks', { old_line: 1, new_line: 1 }, 'line 1', 'context'],
    ['a line between hunks', { old_line: 15, new_line: 16 }, 'line 15', 'context'],
    ['a line below all hunks', { old_line: 30, new_line: 30 }, 'line 30', 'context'],
    ['a line of a new file', { old_path: 'fresh', new_path: 'fresh', new_line: 1 }, 'fresh', 'new'],
    ['a line of a deleted file', { old_path: 'gone', new_path: 'gone', old_line: 1 }, 'gone', 'old'],
    ['a line of a renamed file', { old_path: 'old/name', new_path: 'new/name', new_line: 5 }, 'five', 'new'],
    [
      'a line outside the hunks of a renamed file',
      { old_path: 'old/name', new_path: 'new/name', old_line: 25, new_line: 25 },
      'line 25',
      'context',
    ],
  ])('accepts %s', (_, position, text, side) => {
    expect(check(position)).toMatchObject({ kind: 'accepted', text, side });
  });

  it.each([
    ['an added line with an old number', { old_line: 10, new_line: 10 }],
    ['a removed line with a new number', { old_line: 20, new_line: 21 }],
    ['an unchanged line with its new number alone', { new_line: 9 }],
    ['an unchanged line with its old number alone', { old_line: 9 }],
    ['a line outside the hunks with a wrong pair', { old_line: 15, new_line: 15 }],
    ['a line beyond the end', { old_line: 31, new_line: 31 }],
    ['line zero', { old_line: 0, new_line: 0 }],
    ['a wrong head', { new_line: 11, head_sha: 'e'.repeat(40) }],
    ['a wrong base', { new_line: 11, base_sha: 'e'.repeat(40) }],
    ['a wrong start', { new_line: 11, start_sha: 'e'.repeat(40) }],
    ['a path outside the diff', { old_path: 'zzz', new_path: 'zzz', new_line: 1 }],
    ['a renamed file under its new name twice', { old_path: 'new/name', new_path: 'new/name', new_line: 5 }],
    ['a renamed file under its old name twice', { old_path: 'old/name', new_path: 'old/name', new_line: 5 }],
    ['a context line of a new file', { old_path: 'fresh', new_path: 'fresh', old_line: 1, new_line: 1 }],
    [
      'a line of a file that was only renamed',
      { old_path: 'only/moved', new_path: 'was/moved', old_line: 1, new_line: 1 },
    ],
    ['a line of a file whose mode alone changed', { old_path: 'script', new_path: 'script', old_line: 1, new_line: 1 }],
    ['a line of a binary file', { old_path: 'bin', new_path: 'bin', old_line: 1, new_line: 1 }],
    ['the new side of a change of type', { old_path: 'link', new_path: 'link', new_line: 1 }],
  ])('refuses %s for its line code', (_, position) => {
    expect(check(position)).toEqual({ kind: 'refused', status: 400, message: noLine, isStricter: false });
  });

  it.each([
    ['no line', {}, both],
    ['no new path', { new_path: null, new_line: 11 }, both],
    ['an empty old path', { old_path: '', new_line: 11 }, both],
    ['no path of a whole file', { position_type: 'file', old_path: null }, incomplete],
    ['a path over 1000 characters', { new_path: 'x'.repeat(1001), new_line: 1 }, badSchema],
    ['a sha over 64 characters', { head_sha: 'x'.repeat(65), new_line: 1 }, badSchema],
    [
      'a line code over 100 characters',
      { new_line: 11, line_range: { start: { line_code: 'x'.repeat(101) } } },
      badSchema,
    ],
  ])('refuses %s', (_, position, message) => {
    expect(check(position)).toEqual({ kind: 'refused', status: 400, message, isStricter: false });
  });

  it('breaks like GitLab on an empty sha', () => {
    expect(check({ base_sha: '', new_line: 11 })).toMatchObject({ kind: 'refused', status: 500 });
  });

  it('accepts a whole file of any kind', () => {
    for (const [oldPath, newPath] of [
      ['a', 'a'],
      ['bin', 'bin'],
      ['script', 'script'],
      ['only/moved', 'was/moved'],
    ]) {
      const position = { position_type: 'file', old_path: oldPath ?? '', new_path: newPath ?? '' };
      expect(check(position)).toEqual({ kind: 'accepted', text: '', side: 'file', lineCode: null, rangeTexts: [] });
    }
  });

  it('is stricter than GitLab with a whole file that is not in the diff', () => {
    const checked = check({ position_type: 'file', old_path: 'zzz', new_path: 'zzz' });

    expect(checked).toMatchObject({ kind: 'refused', isStricter: true });
  });
});

describe('checkPosition of several lines', () => {
  const range = (start: [number | null, number | null], end: [number | null, number | null]): Range => ({
    start: { line_code: code('a', ...start), type: start[0] === null ? 'new' : 'old' },
    end: { line_code: code('a', ...end), type: end[0] === null ? 'new' : 'old' },
  });

  it('accepts a range over removed and added rows, and tells what it spans', () => {
    const checked = check({ new_line: 11, line_range: range([10, null], [null, 11]) });

    expect(checked).toMatchObject({ kind: 'accepted', rangeTexts: ['line 10', 'ten', 'ten and a half'] });
  });

  it('accepts a range across hunks', () => {
    const checked = check({ old_line: 20, line_range: range([11, 12], [20, null]) });

    const lines = Array.from({ length: 10 }, (_, index) => `line ${index + 11}`);
    expect(checked).toMatchObject({ kind: 'accepted', rangeTexts: lines });
  });

  it('accepts line numbers that fit', () => {
    const { start, end } = range([10, null], [null, 11]);
    const numbered = {
      start: { ...start, old_line: 10, new_line: null },
      end: { ...end, old_line: null, new_line: 11 },
    };

    expect(check({ new_line: 11, line_range: numbered })).toMatchObject({ kind: 'accepted' });
  });

  it.each<[string, (whole: Range) => NonNullable<DiffPosition['line_range']>]>([
    ['no start', ({ end }) => ({ end })],
    ['no line code', ({ start, end }) => ({ start: { ...start, line_code: null }, end })],
    ['no type', ({ start, end }) => ({ start: { ...start, type: null }, end })],
    ['the wrong type', ({ start, end }) => ({ start: { ...start, type: 'new' }, end })],
    [
      'a line code of another file',
      ({ start, end }) => ({ start: { ...start, line_code: `${'0'.repeat(40)}_10_10` }, end }),
    ],
    [
      'the counters of no row',
      ({ start, end }) => ({ start: { ...start, line_code: start.line_code.replace(/10$/, '99') }, end }),
    ],
    ['a line number of another line', ({ start, end }) => ({ start: { ...start, old_line: 9 }, end })],
    ['a start behind its end', ({ end }) => ({ start: range([11, 12], [11, 12]).start, end })],
    ['an end on another line than the note', ({ start }) => ({ start, end: start })],
  ])('refuses a range with %s', (_, change) => {
    const line_range = change(range([10, null], [null, 10]));

    expect(check({ new_line: 10, line_range })).toMatchObject({ kind: 'refused', status: 400, isStricter: true });
  });
});

type Range = Record<'start' | 'end', { readonly line_code: string; readonly type: string }>;
