import { describe, expect, it } from '@jest/globals';
import { rowsOf } from '@drydock/core';
import { aGitRepository, type GitRepositoryFixture } from '@drydock/testkit';
import { listDiff, readDiff, type ReadDiff } from './read-diff.ts';

const never = new AbortController().signal;
const searchPath = process.env['PATH'] ?? '';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

function inputOf(fixture: GitRepositoryFixture, baseSha: string, headSha: string): ReadDiff {
  return { repo: { gitDir: fixture.gitDir, searchPath }, baseSha, headSha };
}

describe('readDiff', () => {
  it('finds renames at the similarity that GitLab takes', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ a: lines(1, 40), b: lines(101, 140) });
    const head = await fixture.commit({
      ...{
        a: null,
        b: null,
        'much-kept': lines(1, 16) + lines(201, 224),
        'little-kept': lines(101, 105) + lines(301, 345),
      },
    });

    const files = await readDiff(inputOf(fixture, base, head), never);

    expect(files.map(({ status, oldPath, newPath }) => [status, oldPath, newPath])).toEqual([
      ['deleted', 'b', 'b'],
      ['added', 'little-kept', 'little-kept'],
      ['renamed', 'a', 'much-kept'],
    ]);
  });

  it('is the same under any settings', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({
      a: lines(1, 40),
      z: 'z\n\ny\n',
      m: { submodule: 'a'.repeat(40) },
      r: lines(1, 9),
    });
    const head = await fixture.commit({
      ...{ a: lines(1, 10) + 'x\n' + lines(12, 18) + 'y\n' + lines(20, 40), z: 'z\n\nx\n' },
      ...{ m: { submodule: 'b'.repeat(40) }, r: null, s: lines(1, 9) },
    });
    const before = await readDiff(inputOf(fixture, base, head), never);
    const settings = {
      ...{ 'diff.noprefix': 'true', 'diff.mnemonicPrefix': 'true', 'diff.context': '0', 'diff.interHunkContext': '20' },
      ...{ 'diff.renames': 'false', 'diff.renameLimit': '1', 'diff.algorithm': 'patience', 'diff.submodule': 'log' },
      ...{ 'diff.ignoreSubmodules': 'all', 'diff.orderFile': '/nonexistent', 'diff.suppressBlankEmpty': 'true' },
      ...{ 'diff.wordRegex': '.', 'diff.colorMoved': 'zebra', 'color.ui': 'always', 'core.quotePath': 'false' },
      ...{ 'diff.external': 'false', 'diff.relative': 'true', 'diff.indentHeuristic': 'false', 'core.abbrev': '4' },
      ...{ 'diff.srcPrefix': 'x/', 'diff.dstPrefix': 'y/', 'core.pager': 'false', 'core.whitespace': 'tabwidth=1' },
    };
    for (const [name, value] of Object.entries(settings)) await fixture.git(['config', name, value]);

    const after = await readDiff(inputOf(fixture, base, head), never);

    expect(after.map((file) => Array.from(rowsOf(file)))).toEqual(before.map((file) => Array.from(rowsOf(file))));
    expect(after.map(({ status, newPath }) => [status, newPath])).toEqual([
      ['modified', 'a'],
      ['modified', 'm'],
      ['renamed', 's'],
      ['modified', 'z'],
    ]);
    expect(before.map((file) => file.hunks.length)).toEqual([2, 1, 0, 1]);
  });

  it('takes paths literally', async () => {
    await using fixture = await aGitRepository();
    const paths = ['*.ts', ':(glob)x', '-dash', 'a b/c', 'plain.ts'];
    const base = await fixture.commit(Object.fromEntries(paths.map((path) => [path, 'a\n'])));
    const head = await fixture.commit(Object.fromEntries(paths.map((path) => [path, 'b\n'])));
    const input = inputOf(fixture, base, head);

    for (const path of paths) {
      const files = await readDiff({ ...input, paths: [path] }, never);
      expect(files.map((file) => file.newPath)).toEqual([path]);
    }
    expect(await readDiff({ ...input, paths: ['a b'] }, never)).toHaveLength(1);
    expect(await readDiff({ ...input, paths: ['none'] }, never)).toEqual([]);
  });

  it('compares commits without a common ancestor, and a commit with itself', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ a: 'a\n' });
    const head = await fixture.commit({ a: 'b\n' }, { parents: [] });

    expect(await readDiff(inputOf(fixture, base, head), never)).toHaveLength(1);
    expect(await readDiff(inputOf(fixture, head, head), never)).toEqual([]);
  });

  it('reads a SHA-256 repository', async () => {
    await using fixture = await aGitRepository({ objectFormat: 'sha256' });
    const base = await fixture.commit({ a: 'a\n' });
    const head = await fixture.commit({ a: 'b\n' });

    expect(await readDiff(inputOf(fixture, base, head), never)).toMatchObject([
      { newOid: expect.stringMatching(/^.{64}$/) },
    ]);
  });

  it('says which commit is missing, and refuses what is no full id', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ a: 'a\n' });

    await expect(readDiff(inputOf(fixture, base, 'f'.repeat(40)), never)).rejects.toMatchObject({
      code: 'git.object_missing',
    });
    await expect(readDiff(inputOf(fixture, base, 'main'), never)).rejects.toMatchObject({ code: 'request.malformed' });
  });

  it('has a cap', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ a: 'a\n' });
    const head = await fixture.commit({ a: lines(1, 100_000) });

    const read = readDiff({ ...inputOf(fixture, base, head), maxOutputBytes: 100_000 }, never);

    await expect(read).rejects.toMatchObject({ kind: 'terminal', code: 'git.output_too_large' });
  });

  it('reads many files', async () => {
    await using fixture = await aGitRepository();
    const names = Array.from({ length: 3_500 }, (_, index) => `folder-${index % 50}/file-${index}`);
    const base = await fixture.commit(Object.fromEntries(names.map((name) => [name, `${name}\n`])));
    const head = await fixture.commit(Object.fromEntries(names.map((name) => [name, `${name}\nmore\n`])));

    const files = await readDiff(inputOf(fixture, base, head), never);

    expect(files).toHaveLength(3_500);
    expect(files.every((file) => file.rows.count === 2)).toBe(true);
  });
});

describe('listDiff', () => {
  it('names every blob that a diff reads, and no commit of a submodule', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ a: 'a\n', gone: 'gone\n', kept: 'kept\n', m: { submodule: 'a'.repeat(40) } });
    const head = await fixture.commit({ a: 'b\n', gone: null, born: 'born\n', m: { submodule: 'b'.repeat(40) } });

    const { blobs } = await listDiff(inputOf(fixture, base, head), never);

    const contents = await Promise.all(
      blobs.map(async (oid) => (await fixture.git(['cat-file', 'blob', oid])).toString()),
    );
    expect(contents.sort()).toEqual(['a\n', 'b\n', 'born\n', 'gone\n']);
  });

  it('names the paths of both sides, but for those that are no UTF-8', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ from: lines(1, 9), kept: 'kept\n', gone: 'gone\n' });
    const head = await fixture.commit([
      ...Object.entries({ from: null, to: lines(1, 9), gone: null, ü: 'ü\n' }),
      [Buffer.from('odd\xff', 'latin1'), 'odd\n'],
    ]);

    const { paths } = await listDiff(inputOf(fixture, base, head), never);

    expect([...paths].sort()).toEqual(['from', 'gone', 'to', 'ü']);
  });
});
