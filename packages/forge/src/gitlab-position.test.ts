import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { DiffPoint, Placement } from '@drydock/core';
import { lineCode, toGitLabPosition } from './gitlab-position.ts';

const refs = { baseSha: 'a'.repeat(40), startSha: 'b'.repeat(40), headSha: 'c'.repeat(40) };
const shas = { base_sha: refs.baseSha, start_sha: refs.startSha, head_sha: refs.headSha };
const paths = { oldPath: 'src/old.ts', newPath: 'src/new.ts' };
const pathHash = createHash('sha1').update('src/new.ts').digest('hex');

const added: DiffPoint = { kind: 'added', oldLine: null, newLine: 12, oldCounter: 11, newCounter: 12 };
const removed: DiffPoint = { kind: 'removed', oldLine: 33, newLine: null, oldCounter: 33, newCounter: 34 };
const context: DiffPoint = { kind: 'context', oldLine: 34, newLine: 34, oldCounter: 34, newCounter: 34 };
const unchanged: DiffPoint = { kind: 'unchanged', oldLine: 5, newLine: 4, oldCounter: 5, newCounter: 4 };

function inline(start: DiffPoint, end: DiffPoint = start, side: 'new' | 'old' = 'new'): Placement & { kind: 'inline' } {
  return { kind: 'inline', ...paths, side, start, end };
}

describe('lineCode', () => {
  it('carries the counter of the next line on the side where a row does not stand', () => {
    expect(lineCode('src/new.ts', removed)).toBe(`${pathHash}_33_34`);
    expect(lineCode('src/new.ts', added)).toBe(`${pathHash}_11_12`);
  });

  it('is the one that the interface shows', () => {
    // README.md hashes to this in every link to a line of a diff.
    expect(lineCode('README.md', { oldCounter: 0, newCounter: 1 })).toBe(
      '8ec9a00bfd09b3190ac6b22251dbb1aa95a0579d_0_1',
    );
  });

  it('hashes the bytes of a path', () => {
    const hash = createHash('sha1')
      .update(Buffer.from([0xc3, 0xa9]))
      .digest('hex');

    expect(lineCode('\u00e9', { oldCounter: 1, newCounter: 1 })).toBe(`${hash}_1_1`);
  });
});

describe('toGitLabPosition', () => {
  it.each([
    ['an added line', added, { new_line: 12 }],
    ['a removed line', removed, { old_line: 33 }],
    ['a context line', context, { old_line: 34, new_line: 34 }],
    ['a line outside every hunk', unchanged, { old_line: 5, new_line: 4 }],
  ])('names %s by the numbers of the sides it stands on', (_, point, numbers) => {
    expect(toGitLabPosition(inline(point), refs)).toStrictEqual({
      position_type: 'text',
      ...shas,
      old_path: 'src/old.ts',
      new_path: 'src/new.ts',
      ...numbers,
    });
  });

  it('spans several lines and stands on the last', () => {
    expect(toGitLabPosition(inline(removed, context, 'old'), refs)).toStrictEqual({
      position_type: 'text',
      ...shas,
      old_path: 'src/old.ts',
      new_path: 'src/new.ts',
      old_line: 34,
      new_line: 34,
      line_range: {
        start: { line_code: `${pathHash}_33_34`, type: 'old', old_line: 33, new_line: null },
        end: { line_code: `${pathHash}_34_34`, type: 'old', old_line: 34, new_line: 34 },
      },
    });
    expect(toGitLabPosition(inline(unchanged, added), refs)).toMatchObject({
      new_line: 12,
      line_range: {
        start: { line_code: `${pathHash}_5_4`, type: 'old', old_line: 5, new_line: 4 },
        end: { line_code: `${pathHash}_11_12`, type: 'new', old_line: null, new_line: 12 },
      },
    });
  });

  it('names a file as a whole', () => {
    expect(toGitLabPosition({ kind: 'file', ...paths, why: 'binary' }, refs)).toStrictEqual({
      position_type: 'file',
      ...shas,
      old_path: 'src/old.ts',
      new_path: 'src/new.ts',
    });
  });
});
