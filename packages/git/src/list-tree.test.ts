import { describe, expect, it } from '@jest/globals';
import { aGitRepository } from '@drydock/testkit';
import { listTree } from './list-tree.ts';

const never = new AbortController().signal;
const searchPath = process.env['PATH'] ?? '';

describe('listTree', () => {
  it('lists every file with its mode, id and path', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit([
      ['a/b', 'x'],
      ['line\nfeed "quoted"', 'four'],
      ['link', { mode: '120000', content: 'a/b' }],
      ['module', { submodule: 'a'.repeat(40) }],
      ['script', { mode: '100755', content: '' }],
      [Buffer.from('z\xff', 'latin1'), ''],
    ]);
    const repo = { gitDir: fixture.gitDir, searchPath };

    const entries = await listTree({ repo, revision, withSizes: true }, never);

    expect(entries.map(({ mode, type, bytes, path, pathIsValid }) => [mode, type, bytes, path, pathIsValid])).toEqual([
      ['100644', 'blob', 1, 'a/b', true],
      ['100644', 'blob', 4, 'line\nfeed "quoted"', true],
      ['120000', 'blob', 3, 'link', true],
      ['160000', 'commit', null, 'module', true],
      ['100755', 'blob', 0, 'script', true],
      ['100644', 'blob', 0, 'z\ufffd', false],
    ]);
    expect(await listTree({ repo, revision: 'refs/heads/main' }, never)).toMatchObject([
      { bytes: null },
      {},
      {},
      {},
      {},
      {},
    ]);
  });

  it('lists a part, its paths taken literally', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ 'a/b': '', 'a/c': '', '*': '', ':(top)d': '', d: '' });
    const repo = { gitDir: fixture.gitDir, searchPath };
    const list = async (...paths: string[]) =>
      (await listTree({ repo, revision, paths }, never)).map(({ path }) => path);

    expect(await list('a')).toEqual(['a/b', 'a/c']);
    expect(await list('*')).toEqual(['*']);
    expect(await list(':(top)d')).toEqual([':(top)d']);
    expect(await list('none')).toEqual([]);
  });

  it('says what is missing', async () => {
    await using fixture = await aGitRepository();
    await fixture.commit({ a: '' });
    const repo = { gitDir: fixture.gitDir, searchPath };

    await expect(listTree({ repo, revision: 'f'.repeat(40) }, never)).rejects.toMatchObject({
      code: 'git.object_missing',
    });
    await expect(listTree({ repo, revision: 'refs/heads/x' }, never)).rejects.toMatchObject({
      code: 'git.object_missing',
    });
    await expect(listTree({ repo, revision: 'main' }, never)).rejects.toMatchObject({ code: 'request.malformed' });
  });
});
