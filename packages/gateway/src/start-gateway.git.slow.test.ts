import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { startFakeGitLab, type FakeGitLab, type GitLabProject } from '@drydock/testkit';
import { delimiterPacket, flushPacket, packetOf } from './git/pkt-line.ts';
import { TestGateway, refsOf, type Reviewable } from './test-gateway.ts';

const run = promisify(execFile);

describe('git of the gateway, with the real client', () => {
  let gitlab: FakeGitLab;
  let gateway: TestGateway;
  let project: GitLabProject;
  let reviewable: Reviewable;
  let token: string;
  let folder: string;

  beforeEach(async () => {
    gitlab = await startFakeGitLab();
    gateway = await TestGateway.start({ gitlab });
    project = await gitlab.createProject({ path: 'acme/shop', files: { 'a.txt': 'one\n', 'dir/b.txt': 'bee\n' } });
    await gitlab.push(project, 'main', { 'a.txt': 'one\ntwo\n' });
    await gitlab.push(project, 'feature', { 'a.txt': 'one\ntwo\nthree\n', 'new.txt': 'new\n' });
    await gitlab.push(project, 'secret', { 'plan.txt': 'the secret plan\n' });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Three', author: gitlab.bot });
    reviewable = { projectId: project.id, iid: 1, refs: refsOf(gitlab.diffRefs(1)) };
    ({ token } = await gateway.startRun(reviewable));
    folder = await mkdtemp(join(tmpdir(), 'drydock-agent-'));
  });

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await gitlab[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Git as an agent runs it. Gives what it printed and how it ended. */
  async function git(args: readonly string[], options: { token?: string; protocol?: string } = {}) {
    const settings = [
      ['http.extraHeader', `Authorization: Bearer ${options.token ?? token}`],
      ['protocol.version', options.protocol ?? '2'],
      ['safe.directory', '*'],
    ];
    const env: Record<string, string> = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_COUNT: String(settings.length),
    };
    settings.forEach(([name, value], index) => {
      env[`GIT_CONFIG_KEY_${String(index)}`] = name ?? '';
      env[`GIT_CONFIG_VALUE_${String(index)}`] = value ?? '';
    });
    try {
      const { stdout, stderr } = await run('git', ['-C', folder, ...args], { env });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  }

  async function aClone(...filter: string[]): Promise<void> {
    await git(['init', '-q']);
    await git(['remote', 'add', 'origin', gateway.gitUrl]);
    await git(['config', 'remote.origin.promisor', 'true']);
    await git(['config', 'remote.origin.partialclonefilter', 'blob:none']);
    const fetched = await git(['fetch', '-q', ...filter, 'origin', 'refs/drydock/*:refs/drydock/*']);
    expect(fetched).toMatchObject({ code: 0 });
  }

  it('lists the three commits of the run and nothing else', async () => {
    const listed = await git(['ls-remote', gateway.gitUrl]);

    const { baseSha, headSha, startSha } = reviewable.refs;
    expect(listed.stdout.trim().split('\n').sort()).toEqual(
      [`${baseSha}\trefs/drydock/base`, `${headSha}\trefs/drydock/head`, `${startSha}\trefs/drydock/start`].sort(),
    );
  });

  it('serves a partial clone that fetches single files when they are read', async () => {
    await aClone('--filter=blob:none');
    const missing = await git(['rev-list', '--objects', '--missing=print', 'refs/drydock/head']);

    const shown = await git(['show', 'refs/drydock/head:a.txt']);

    expect(missing.stdout).toContain('?');
    expect(shown).toMatchObject({ code: 0, stdout: 'one\ntwo\nthree\n' });
  });

  it('serves a checkout, whose many blobs come in one packed request', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`many/${String(index)}.txt`, `${String(index)}\n`]),
    );
    await gitlab.push(project, 'feature', files);
    const later = { ...reviewable, refs: refsOf(gitlab.diffRefs(1)) };
    ({ token } = await gateway.startRun(later, 2));
    await aClone('--filter=blob:none');

    const checkedOut = await git(['checkout', '-q', later.refs.headSha]);

    expect(checkedOut).toMatchObject({ code: 0 });
    expect(await readdir(join(folder, 'many'))).toHaveLength(300);
    expect(await readFile(join(folder, 'many/299.txt'), 'utf8')).toBe('299\n');
  });

  it('serves history for log and blame, and a shallow fetch', async () => {
    await aClone('--filter=blob:none');
    expect((await git(['log', '--format=%H', 'refs/drydock/head'])).stdout.trim().split('\n')).toHaveLength(3);

    const shallow = await git(['fetch', '-q', '--depth=1', 'origin', reviewable.refs.startSha]);
    expect(shallow).toMatchObject({ code: 0 });
  });

  it('serves an ancestor by its id', async () => {
    const first = (await project.repository.resolve(`${reviewable.refs.baseSha}~1`)) ?? '';
    await git(['init', '-q']);

    expect(await git(['fetch', '-q', gateway.gitUrl, first])).toMatchObject({ code: 0 });
  });

  describe('refuses', () => {
    const expectRefused = async (args: readonly string[], options = {}) => {
      await git(['init', '-q']);
      const refused = await git(args, options);
      expect(refused.code).not.toBe(0);
      expect((await git(['count-objects'])).stdout.trim()).toBe('0 objects, 0 kilobytes');
      return refused;
    };

    it("another branch's tip, by id and by name", async () => {
      const secret = (await project.repository.resolve('refs/heads/secret')) ?? '';
      await gitlab.openMergeRequest({ project, sourceBranch: 'secret', title: 'Secret', author: gitlab.bot });
      // The mirror has it, because another run may see it.
      await gateway.startRun({ projectId: project.id, iid: 2, refs: refsOf(gitlab.diffRefs(2)) });

      const refused = await expectRefused(['fetch', gateway.gitUrl, secret]);
      expect(refused.stderr).toContain('not among the objects of this run');
      await expectRefused(['fetch', gateway.gitUrl, 'refs/heads/secret']);
      await expectRefused(['fetch', gateway.gitUrl, 'refs/merge-requests/2/head']);
    });

    it('an id that is nowhere, in the same words', async () => {
      const refused = await expectRefused(['fetch', gateway.gitUrl, 'd'.repeat(40)]);

      expect(refused.stderr).toContain('not among the objects of this run');
    });

    it('a push', async () => {
      await aClone();

      const pushed = await git(['push', gateway.gitUrl, 'refs/drydock/head:refs/heads/owned']);

      expect(pushed.code).not.toBe(0);
      expect(await project.repository.resolve('refs/heads/owned')).toBeNull();
      expect(gitlab.violations).toEqual([]);
    });

    it('older protocols, which would advertise every ref', async () => {
      for (const protocol of ['0', '1'])
        await expectRefused(['fetch', gateway.gitUrl, 'refs/drydock/head'], { protocol });
    });

    it('a wrong token and none', async () => {
      await expectRefused(['fetch', gateway.gitUrl, 'refs/drydock/head'], { token: `ddrun_${'a'.repeat(43)}` });
      await expectRefused(['fetch', gateway.gitUrl, 'refs/drydock/head'], { token: '' });
    });

    it('the commits of another project', async () => {
      const other = await gitlab.createProject({ path: 'acme/other', files: { 'x.txt': 'x\n' } });
      await gitlab.push(other, 'feature', { 'x.txt': 'y\n' });
      await gitlab.openMergeRequest({ project: other, sourceBranch: 'feature', title: 'Y', author: gitlab.bot });
      const theirs = { projectId: other.id, iid: 1, refs: refsOf(gitlab.diffRefs(1, other)) };
      await gateway.startRun(theirs);

      await expectRefused(['fetch', gateway.gitUrl, theirs.refs.headSha]);
    });
  });

  describe('refuses, byte for byte,', () => {
    const post = (body: Buffer, headers: Record<string, string> = {}) =>
      fetch(`${gateway.gitUrl}/git-upload-pack`, {
        method: 'POST',
        body: new Uint8Array(body),
        headers: {
          authorization: `Bearer ${token}`,
          'git-protocol': 'version=2',
          'content-type': 'application/x-git-upload-pack-request',
          ...headers,
        },
      });
    const fetchOf = (...args: string[]) =>
      Buffer.from([packetOf('command=fetch'), delimiterPacket, ...args.map(packetOf), flushPacket].join(''));

    it('an annotated tag by its id', async () => {
      const { stdout: tag } = await run('git', [
        '-C',
        project.repository.dir,
        '-c',
        'user.name=a',
        '-c',
        'user.email=a@b',
        'tag',
        '-a',
        '-m',
        'v1',
        'v1',
        reviewable.refs.headSha,
      ]).then(() => run('git', ['-C', project.repository.dir, 'rev-parse', 'v1']));
      // Even if it were in the mirror: it is put there.
      const mirror = join(gateway.dataDir, 'mirrors/gitlab', `${String(project.id)}.git`);
      await run('git', ['-C', mirror, 'fetch', '-q', project.repository.dir, 'refs/tags/v1:refs/tags/v1']);

      const response = await post(fetchOf(`want ${tag.trim()}`, 'done'));

      expect(await response.text()).toBe(packetOf('ERR not among the objects of this run'));
    });

    it('a refused commit among good ones', async () => {
      const response = await post(fetchOf(`want ${reviewable.refs.headSha}`, `want ${'d'.repeat(40)}`, 'done'));

      expect(await response.text()).toBe(packetOf('ERR not among the objects of this run'));
    });

    it('trees and blobs that are not there, and gives those that are by their id', async () => {
      const blob = (
        await run('git', ['-C', project.repository.dir, 'rev-parse', `${reviewable.refs.headSha}:new.txt`])
      ).stdout.trim();

      const response = await post(fetchOf(`want ${blob}`, 'done'));

      expect(response.headers.get('content-type')).toBe('application/x-git-upload-pack-result');
      expect((await response.text()).startsWith('000dpackfile')).toBe(true);
    });

    it.each([
      ['a request of protocol 0', Buffer.from(`${packetOf(`want ${'a'.repeat(40)} side-band-64k`)}0000`), {}],
      ['a header of protocol 1', fetchOf(`want ${'a'.repeat(40)}`), { 'git-protocol': 'version=1' }],
      ['no protocol', fetchOf(`want ${'a'.repeat(40)}`), { 'git-protocol': '' }],
      ['another content type', fetchOf(`want ${'a'.repeat(40)}`), { 'content-type': 'application/json' }],
      ['another packing', fetchOf(`want ${'a'.repeat(40)}`), { 'content-encoding': 'br' }],
      ['broken packing', Buffer.from('no gzip'), { 'content-encoding': 'gzip' }],
      ['a bomb', gzipSync(Buffer.alloc(64 * 1024 * 1024, '0')), { 'content-encoding': 'gzip' }],
      ['something else', Buffer.from('hello'), {}],
    ])('%s', async (_, body, headers) => {
      const response = await post(body, headers);

      expect(response.status).toBe(400);
      expect(await response.text()).toContain('request.malformed');
    });

    it('a body that is too large', async () => {
      const response = await post(Buffer.alloc(17 * 1024 * 1024, '0'));

      expect(response.status).toBe(413);
    });

    it.each(['git-receive-pack', 'git-upload-archive', '', 'git-upload-pack&x=1'])(
      'the service %j',
      async (service) => {
        const response = await fetch(`${gateway.gitUrl}/info/refs?service=${service}`, {
          headers: { authorization: `Bearer ${token}`, 'git-protocol': 'version=2' },
        });

        expect(response.status).toBe(404);
      },
    );
  });

  it('never puts the token of the forge where an agent or a listing of processes could see it', async () => {
    const mirror = join(gateway.dataDir, 'mirrors/gitlab', `${String(project.id)}.git`);

    const config = await readFile(join(mirror, 'config'), 'utf8');
    const leftovers = await readdir(join(gateway.dataDir, 'private'));

    expect(config).not.toContain(gitlab.token);
    expect(config).not.toContain('url');
    expect(leftovers.filter((name) => name.endsWith('.config'))).toEqual([]);
    expect(await readdir(mirror)).not.toContain('hooks');
  });

  it('fills the mirror of a gateway that has never seen the project', async () => {
    await rm(join(gateway.dataDir, 'mirrors'), { recursive: true });

    await aClone('--filter=blob:none');
  });
});
