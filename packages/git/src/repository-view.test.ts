import { describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aGitRepository } from '@drydock/testkit';
import { findRepository } from './find-repository.ts';
import { ObjectReader } from './object-reader.ts';
import { makeRepositoryView, writeObject } from './repository-view.ts';
import { runUserGit } from './user-git.ts';

const never = new AbortController().signal;
const searchPath = process.env['PATH'] ?? '';

async function aFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'drydock-view-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe('a view on a repository', () => {
  for (const objectFormat of ['sha1', 'sha256'] as const) {
    it(`reads the objects of a ${objectFormat} repository and keeps its own`, async () => {
      await using fixture = await aGitRepository({ objectFormat });
      await using folder = await aFolder();
      const sha = await fixture.commit({ a: 'a\n' });
      const content = 'author and more';
      const gitDir = join(folder.path, 'view.git');
      const objectDirs = [join(fixture.gitDir, 'objects')];
      const input = { gitDir, searchPath, objectFormat, objectDirs, shallowFile: join(fixture.gitDir, 'shallow') };
      const { repository, isPartial } = await makeRepositoryView(input);
      const tree = await writeObject(repository, { format: objectFormat, type: 'tree', content: '' });
      const commit = await writeObject(repository, { format: objectFormat, type: 'commit', content });
      const again = await writeObject(repository, { format: objectFormat, type: 'commit', content });
      await using reader = new ObjectReader({ repo: repository });

      expect(isPartial).toBe(false);
      expect(await reader.describe(sha, never)).toMatchObject({ type: 'commit' });
      expect(await reader.describe(tree, never)).toEqual({ oid: tree, type: 'tree', bytes: 0 });
      expect(await reader.describe(commit, never)).toEqual({ oid: commit, type: 'commit', bytes: content.length });
      expect(again).toBe(commit);
      expect(tree).toBe((await fixture.git(['hash-object', '-t', 'tree', '--stdin'])).toString().trim());
      await expect(fixture.git(['cat-file', '-e', commit])).rejects.toThrow();
    });
  }

  it('follows alternates that name each other, in any quoting', async () => {
    await using fixture = await aGitRepository();
    await using folder = await aFolder();
    const sha = await fixture.commit({ a: 'a\n' });
    const odd = join(folder.path, 'od"d\n\u00e4\\');
    const objects = join(fixture.gitDir, 'objects');
    const first = { gitDir: odd, searchPath, objectFormat: 'sha1', objectDirs: [objects], shallowFile: null } as const;
    await makeRepositoryView(first);
    const second = { ...first, gitDir: join(folder.path, 'second'), objectDirs: [join(odd, 'objects')] };
    await makeRepositoryView(second);
    await writeFile(join(objects, 'info/alternates'), `# nothing\n${join(folder.path, 'second/objects')}\n`);
    const { repository } = await makeRepositoryView({
      ...{ ...first, gitDir: join(folder.path, 'third') },
      objectDirs: [join(folder.path, 'second/objects')],
    });
    await using reader = new ObjectReader({ repo: repository });

    expect(await reader.describe(sha, never)).toMatchObject({ type: 'commit' });
    const named = await readFile(join(folder.path, 'third/objects/info/alternates'), 'utf8');
    expect(named.trimEnd().split('\n')).toHaveLength(3);
    expect((await stat(join(folder.path, 'third/objects'))).mode & 0o777).toBe(0o700);
  });
});

describe('the git of a user', () => {
  it('takes their settings, and no variable that git would obey beside those', async () => {
    await using fixture = await aGitRepository();
    await using folder = await aFolder();
    await fixture.commit({ a: 'a\n' });
    await writeFile(join(folder.path, '.gitconfig'), '[who]\n\tasks = them\n[core]\n\thooksPath = /trap\n');
    const environment = {
      ...{
        HOME: folder.path,
        GIT_EXTERNAL_DIFF: 'trap',
        GIT_SSH_COMMAND: 'trap',
        GIT_TRACE: join(folder.path, 'trace'),
      },
      ...{ GIT_CONFIG_PARAMETERS: `'core.hooksPath=/other'`, SECRET: 'x' },
    };
    const place = { cwd: fixture.gitDir, searchPath, environment };
    const ask = async (...args: string[]) => {
      const { stdout } = await runUserGit({ place, args, timeoutMs: 10_000, maxOutputBytes: 10_000 }, never);
      return stdout.toString().trim();
    };

    expect(await ask('config', 'who.asks')).toBe('them');
    expect(await ask('config', 'core.hooksPath')).toBe('/dev/null');
    expect(await ask('-c', 'alias.all=!env', 'all')).not.toMatch(/trap|SECRET/);
    expect(await ask('config', 'not.there')).toBe('');
    await expect(stat(join(folder.path, 'trace'))).rejects.toThrow('ENOENT');
    const found = await findRepository(place, never);
    expect(found).toMatchObject({
      kind: 'found',
      repository: { gitDir: fixture.gitDir, isBare: true, workTree: null },
    });
    expect(await findRepository({ ...place, cwd: folder.path }, never)).toEqual({ kind: 'none' });
  });
});
