import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret, type DiffRefs } from '@drydock/core';
import type { GitRemote } from '@drydock/forge';
import { ObjectReader, runGit } from '@drydock/git';
import { aGitRepository, type GitRepositoryFixture } from '@drydock/testkit';
import { checkWants } from './check-wants.ts';
import { Mirrors, type MirrorRequest } from './mirrors.ts';

const never = new AbortController().signal;
const searchPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';

describe('Mirrors', () => {
  let origin: GitRepositoryFixture;
  let dataDir: string;
  let mirrors: Mirrors;
  let asked: number;

  beforeEach(async () => {
    origin = await aGitRepository();
    dataDir = await mkdtemp(join(tmpdir(), 'drydock-mirrors-'));
    mirrors = new Mirrors({ dataDir, searchPath, fetchTimeoutMs: 30_000, allowFile: true });
    asked = 0;
  });
  afterEach(async () => {
    mirrors.close();
    await rm(dataDir, { recursive: true, force: true });
    await origin[Symbol.asyncDispose]();
  });

  async function someRefs(): Promise<DiffRefs> {
    const [baseSha = '', startSha = '', headSha = ''] = await origin.commitAll([
      { changes: { f: 'base\n' } },
      { changes: { f: 'start\n' } },
      { changes: { f: 'head\n' }, parents: [':1'] },
    ]);
    return { baseSha, startSha, headSha };
  }
  const requestFor = (refs: DiffRefs, projectId = '42'): MirrorRequest => ({
    subject: { forge: 'gitlab', projectId, iid: 7 },
    refs,
    targetBranch: 'main',
    remote: (): GitRemote => {
      asked += 1;
      return {
        url: `file://${origin.gitDir}`,
        authorization: new Secret('Basic c2VjcmV0'),
        headRef: 'refs/merge-requests/7/head',
        proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
        caBundlePem: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
      };
    },
  });
  const contentAt = async (repo: { gitDir: string; searchPath: string }, revision: string) => {
    await using reader = new ObjectReader({ repo });
    const read = await reader.read({ revision, path: 'f' }, { maxBytes: 100, signal: never });
    return read.kind === 'found' ? read.content.toString() : read.kind;
  };

  it('fetches the three commits whole, and asks the forge only for what is missing', async () => {
    const refs = await someRefs();

    const repo = await mirrors.ensure(requestFor(refs), never);
    await mirrors.ensure(requestFor(refs), never);

    expect(await contentAt(repo, refs.headSha)).toBe('head\n');
    expect(await contentAt(repo, refs.startSha)).toBe('start\n');
    expect(asked).toBe(1);
  });

  it('fetches once for many that ask at the same time', async () => {
    const refs = await someRefs();

    await Promise.all(Array.from({ length: 8 }, () => mirrors.ensure(requestFor(refs), never)));

    expect(asked).toBe(1);
  });

  it('keeps projects apart', async () => {
    const refs = await someRefs();

    const ids = ['1', '2', '3', '4', '5', '6'];
    const repos = await Promise.all(ids.map((id) => mirrors.ensure(requestFor(refs, id), never)));

    expect(new Set(repos.map(({ gitDir }) => gitDir)).size).toBe(ids.length);
    expect((await readdir(join(dataDir, 'mirrors/gitlab'))).sort()).toEqual(ids.map((id) => `${id}.git`));
  });

  it('goes on fetching when its caller gives up', async () => {
    const refs = await someRefs();
    const leaving = new AbortController();
    const left = mirrors.ensure(requestFor(refs), leaving.signal);
    leaving.abort();

    await expect(left).rejects.toMatchObject({ code: 'aborted' });
    await mirrors.ensure(requestFor(refs), never);

    expect(asked).toBe(1);
  });

  it('says that the forge does not give out a commit, and finds it once it does', async () => {
    const refs = await someRefs();
    const hidden = { ...refs, headSha: 'd'.repeat(40) };

    await expect(mirrors.ensure(requestFor(hidden), never)).rejects.toMatchObject({
      kind: 'transient',
      code: 'git.want_refused',
    });

    await expect(mirrors.ensure(requestFor(refs), never)).resolves.toBeDefined();
  });

  it('leaves no credential behind, also when the fetch fails', async () => {
    const refs = await someRefs();
    await mirrors.ensure(requestFor(refs), never);
    await mirrors.ensure(requestFor({ ...refs, headSha: 'd'.repeat(40) }), never).catch(() => undefined);

    const files = await readdir(join(dataDir, 'private'));

    expect(files).toEqual([expect.stringMatching(/^ca-[0-9a-f]{16}\.pem$/)]);
  });

  it('mirrors SHA-256 repositories', async () => {
    await origin[Symbol.asyncDispose]();
    origin = await aGitRepository({ objectFormat: 'sha256' });
    const refs = await someRefs();

    const repo = await mirrors.ensure(requestFor(refs), never);

    expect(refs.headSha).toHaveLength(64);
    expect(await contentAt(repo, refs.headSha)).toBe('head\n');
  });

  it('runs nothing that the other side could have put into it', async () => {
    const refs = await someRefs();
    const repo = await mirrors.ensure(requestFor(refs), never);

    const { stdout } = await runGit({
      repo,
      args: ['config', '--file', join(repo.gitDir, 'config'), '--list', '--name-only'],
      signal: never,
      timeoutMs: 10_000,
      maxOutputBytes: 10_000,
    });

    expect(stdout.toString().trim().split('\n').sort()).toEqual([
      'core.bare',
      'core.filemode',
      'core.repositoryformatversion',
    ]);
    await expect(access(join(repo.gitDir, 'hooks'))).rejects.toThrow();
  });

  describe('checkWants', () => {
    it('knows what the three commits reach from what they do not', async () => {
      const refs = await someRefs();
      const stranger = await origin.commit({ f: 'other\n' }, { parents: [refs.baseSha] });
      const orphan = await origin.commit({ f: 'orphan\n' }, { parents: [] });
      const repo = await mirrors.ensure(requestFor(refs), never);
      await mirrors.ensure({ ...requestFor({ ...refs, headSha: stranger }) }, never);
      await mirrors.ensure({ ...requestFor({ ...refs, headSha: orphan }) }, never);
      const grounds = { repo, refs: { baseSha: refs.startSha, startSha: refs.startSha, headSha: refs.headSha } };
      const check = (...wants: string[]) =>
        checkWants(grounds, wants, never).then(
          () => 'given',
          () => 'refused',
        );
      const idOf = async (name: string) => (await origin.git(['rev-parse', name])).toString().trim();

      expect(await check(refs.headSha, refs.startSha, refs.baseSha)).toBe('given');
      expect(await check(stranger)).toBe('refused');
      expect(await check(orphan)).toBe('refused');
      expect(await check(refs.baseSha, stranger)).toBe('refused');
      expect(await check('d'.repeat(40))).toBe('refused');
      expect(await check(await idOf(`${refs.headSha}^{tree}`), await idOf(`${refs.headSha}:f`))).toBe('given');
      expect(await check(await idOf(`${refs.headSha}:f`), stranger)).toBe('refused');
    });
  });
});
