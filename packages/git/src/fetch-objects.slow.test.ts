import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { aGitRepository } from '@drydock/testkit';
import { fetchCommits, fetchedCommit, fetchObjects, initRepository, listMissing } from './fetch-objects.ts';
import type { GitNetwork, GitRepository } from './git-environment.ts';
import { ObjectReader } from './object-reader.ts';
import { writePrivateConfig } from './private-config.ts';
import { listDiff, readDiff } from './read-diff.ts';
import { runGit, startGit } from './run-git.ts';

const never = new AbortController().signal;
const searchPath = process.env['PATH'] ?? '';
const header = 'PRIVATE-TOKEN: s3cret "quoted" \\ end';

interface GitServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: { readonly url: string; readonly token: string | undefined }[];
  answer: ((response: ServerResponse) => void) | null;
}

/** Serves a repository over smart HTTP; `answer` takes the place of git for a while. */
async function startGitServer(gitDir: string): Promise<GitServer> {
  const requests: GitServer['requests'] = [];
  const repo = { gitDir, searchPath };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    requests.push({ url: request.url ?? '', token: request.headers['private-token']?.toString() });
    if (server.answer !== null) {
      server.answer(response);
      return;
    }
    const isAdvertisement = request.url?.includes('info/refs') === true;
    const mode = isAdvertisement ? ['--http-backend-info-refs'] : ['--stateless-rpc'];
    await using git = startGit({
      ...{ repo, args: ['upload-pack', ...mode, gitDir], signal: never, timeoutMs: 10_000 },
      protocol: request.headers['git-protocol']?.toString() ?? '',
      settings: [
        ['uploadpack.allowFilter', 'true'],
        ['uploadpack.allowAnySHA1InWant', 'true'],
      ],
    });
    const kind = isAdvertisement ? 'advertisement' : 'result';
    response.writeHead(200, { 'content-type': `application/x-git-upload-pack-${kind}` });
    if (isAdvertisement) response.write('001e# service=git-upload-pack\n0000');
    await Promise.all([pipeline(request, git.stdin), pipeline(git.stdout, response)]);
  };
  const listener = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const { port } = listener.address() as AddressInfo;
  const server: GitServer = {
    url: `http://127.0.0.1:${port}/group/project.git`,
    requests,
    answer: null,
    [Symbol.asyncDispose]: async () => {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
  return server;
}

async function anEmptyRepository(
  objectFormat: 'sha1' | 'sha256' = 'sha1',
): Promise<AsyncDisposable & { readonly repo: GitRepository; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-fetch-'));
  const repo = { gitDir: join(folder, 'mirror.git'), searchPath };
  await initRepository({ repo, objectFormat }, never);
  return { repo, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

describe('fetchCommits', () => {
  it('fetches commits and trees, and blobs when they are asked for', async () => {
    await using source = await aGitRepository();
    const baseSha = await source.commit({ a: 'a\n', kept: 'kept\n' });
    const headSha = await source.commit({ a: 'b\n', born: 'born\n' });
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();
    const { repo } = mirror;
    const network: GitNetwork = { url: server.url, configFile: null };

    await fetchCommits({ repo, network, wants: [baseSha, headSha] }, never);
    const { blobs } = await listDiff({ repo, baseSha, headSha }, never);
    expect(await listMissing({ repo, oids: blobs }, never)).toEqual(blobs);
    await expect(readDiff({ repo, baseSha, headSha }, never)).rejects.toMatchObject({ code: 'git.object_missing' });
    await fetchObjects({ repo, network, oids: blobs }, never);
    const files = await readDiff({ repo, baseSha, headSha }, never);

    expect(files.map(({ status, newPath }) => [status, newPath])).toEqual([
      ['modified', 'a'],
      ['added', 'born'],
    ]);
    await using reader = new ObjectReader({ repo });
    const options = { maxBytes: 100, signal: never };
    expect(await reader.read({ revision: headSha, path: 'kept' }, options)).toEqual({ kind: 'missing' });
    expect(await reader.read({ revision: headSha, path: 'born' }, options)).toMatchObject({ kind: 'found' });
  });

  it('asks for nothing that is here', async () => {
    await using source = await aGitRepository();
    const headSha = await source.commit({ a: 'a\n' });
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();
    const { repo } = mirror;
    const network: GitNetwork = { url: server.url, configFile: null };
    await fetchCommits({ repo, network, wants: [headSha], filter: null }, never);
    const blobs = (await source.git(['rev-parse', `${headSha}:a`])).toString().trim();
    const before = server.requests.length;

    await fetchObjects({ repo, network, oids: [blobs, headSha] }, never);
    await fetchObjects({ repo, network, oids: [] }, never);

    expect(server.requests).toHaveLength(before);
  });

  it('takes no tags, and neither settings nor hooks of a machine', async () => {
    await using source = await aGitRepository();
    const headSha = await source.commit({ a: 'a\n' });
    await source.git(['tag', 'v1']);
    await source.git(['tag', '-am', 'x', 'v2']);
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();

    await fetchCommits({ repo: mirror.repo, network: { url: server.url, configFile: null }, wants: [headSha] }, never);

    const limits = { repo: mirror.repo, signal: never, timeoutMs: 60_000, maxOutputBytes: 10_000 };
    const refs = await runGit({ ...limits, args: ['for-each-ref', '--format=%(refname)'] });
    expect(refs.stdout.toString().trim()).toBe(`refs/drydock/kept/${headSha}`);
    const config = await readFile(join(mirror.repo.gitDir, 'config'), 'utf8');
    expect(config).not.toContain('remote');
    expect(config).not.toContain('promisor');
  });

  it('fetches a full ref by its name, where a tag and a branch share it', async () => {
    await using source = await aGitRepository();
    const tagged = await source.commit({ a: '1' });
    const branched = await source.commit({ a: '2' });
    await source.git(['update-ref', 'refs/tags/twin', tagged]);
    await source.git(['update-ref', 'refs/heads/twin', branched]);
    await source.git(['update-ref', 'refs/merge-requests/7/head', branched]);
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();
    const { repo } = mirror;
    const network: GitNetwork = { url: server.url, configFile: null };
    const wants = ['refs/heads/twin', 'refs/tags/twin', 'refs/merge-requests/7/head'];

    await fetchCommits({ repo, network, wants, depth: 1 }, never);

    expect(await Promise.all(wants.map((want) => fetchedCommit(repo, want, never)))).toEqual([
      branched,
      tagged,
      branched,
    ]);
    expect(await fetchedCommit(repo, 'refs/heads/other', never)).toBeNull();
    await expect(fetchCommits({ repo, network, wants: ['twin'] }, never)).rejects.toMatchObject({
      code: 'request.malformed',
    });
  });

  it('fetches a SHA-256 repository', async () => {
    await using source = await aGitRepository({ objectFormat: 'sha256' });
    const headSha = await source.commit({ a: 'a\n' });
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository('sha256');
    const { repo } = mirror;
    const network: GitNetwork = { url: server.url, configFile: null };

    await fetchCommits({ repo, network, wants: [headSha] }, never);
    const oid = (await source.git(['rev-parse', `${headSha}:a`])).toString().trim();
    await fetchObjects({ repo, network, oids: [oid] }, never);

    expect(await listMissing({ repo, oids: [oid, headSha, 'f'.repeat(64)] }, never)).toEqual(['f'.repeat(64)]);
  });

  it('sends the private header to its host alone, and shows it nowhere', async () => {
    await using source = await aGitRepository();
    const headSha = await source.commit({ a: 'a\n' });
    await using server = await startGitServer(source.gitDir);
    await using other = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();
    const { repo, folder } = mirror;
    await using config = await writePrivateConfig({ directory: folder, url: server.url, header: new Secret(header) });
    const network: GitNetwork = { url: server.url, configFile: config.path };

    await fetchCommits({ repo, network, wants: [headSha] }, never);
    await fetchCommits({ repo, network: { ...network, url: other.url }, wants: [headSha] }, never);
    const sent = server.requests.length;
    server.answer = (response) =>
      response.writeHead(302, { location: `${other.url}/info/refs?service=git-upload-pack` }).end();
    const redirected = fetchCommits({ repo, network, wants: ['a'.repeat(40)] }, never);

    await expect(redirected).rejects.toMatchObject({ message: expect.not.stringContaining('s3cret') });
    expect(server.requests.every((request) => request.token === header.slice('PRIVATE-TOKEN: '.length))).toBe(true);
    expect(server.requests.length).toBe(sent + 1);
    expect(other.requests.every((request) => request.token === undefined)).toBe(true);
    expect((await stat(config.path)).mode & 0o777).toBe(0o600);
    expect(await readFile(join(repo.gitDir, 'config'), 'utf8')).not.toContain('s3cret');
  });

  it('removes the private file, and takes no line ends into it', async () => {
    await using mirror = await anEmptyRepository();
    const directory = mirror.folder;
    let path: string;
    {
      await using config = await writePrivateConfig({ directory, url: 'http://h/', header: new Secret(header) });
      path = config.path;
    }
    const broken = writePrivateConfig({ directory, url: 'http://h/', header: new Secret('X: a\n[core]\n\tpager = x') });

    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(broken).rejects.toMatchObject({ kind: 'config', message: expect.not.stringContaining('pager') });
  });

  it.each<[number, string, string]>([
    [401, 'blocked', 'git.unauthorized'],
    [403, 'blocked', 'git.unauthorized'],
    [429, 'transient', 'git.unreachable'],
    [502, 'transient', 'git.unreachable'],
  ])('takes an answer of %i as %s', async (status, kind, code) => {
    await using source = await aGitRepository();
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();
    server.answer = (response) => response.writeHead(status).end('no');
    const network: GitNetwork = { url: server.url, configFile: null };

    const fetched = fetchCommits({ repo: mirror.repo, network, wants: ['a'.repeat(40)] }, never);

    await expect(fetched).rejects.toMatchObject({ kind, code });
  });

  it('may try again after a cut answer, a host that is not there, and a commit that is not there', async () => {
    await using source = await aGitRepository();
    await source.commit({ a: 'a\n' });
    await using server = await startGitServer(source.gitDir);
    await using mirror = await anEmptyRepository();
    const { repo } = mirror;
    const network: GitNetwork = { url: server.url, configFile: null };
    const wants = ['a'.repeat(40)];

    await expect(fetchCommits({ repo, network, wants }, never)).rejects.toMatchObject({
      ...{ kind: 'transient', code: 'git.want_refused' },
    });
    server.answer = (response) => {
      response.writeHead(200, {
        'content-type': 'application/x-git-upload-pack-advertisement',
        'content-length': '100',
      });
      response.write('001e# service', () => response.destroy());
    };
    await expect(fetchCommits({ repo, network, wants }, never)).rejects.toMatchObject({ kind: 'transient' });
    const nowhere = { url: 'http://127.0.0.1:9/x.git', configFile: null };
    await expect(fetchCommits({ repo, network: nowhere, wants }, never)).rejects.toMatchObject({
      code: 'git.unreachable',
    });
  });
});
