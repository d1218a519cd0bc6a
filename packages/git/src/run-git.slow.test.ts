import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { aGitRepository } from '@drydock/testkit';
import type { GitNetwork } from './git-environment.ts';
import { readBlame } from './blame.ts';
import { listTree } from './list-tree.ts';
import { readLog } from './log.ts';
import { readDiff } from './read-diff.ts';
import { runGit, startGit } from './run-git.ts';

const searchPath = process.env['PATH'] ?? '';
const never = new AbortController().signal;
const limits = { signal: never, timeoutMs: 20_000, maxOutputBytes: 1_000_000 };
const outside = { gitDir: null, searchPath } as const;

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'drydock-run-git-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Takes every request and answers none. */
async function startSilentServer(): Promise<
  AsyncDisposable & { readonly url: string; readonly asked: Promise<unknown> }
> {
  const server = createServer();
  const asked = once(server, 'request');
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/x.git`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('runGit', () => {
  it('answers what git printed and how it ended', async () => {
    const answer = await runGit({ ...limits, repo: outside, args: ['hash-object', '--stdin'], input: 'x\n' });

    expect(answer).toEqual({ exitCode: 0, stdout: Buffer.from('587be6b4c3f93f93c489c0111bba5596147a26cb\n') });
  });

  it('takes the exit codes that are answers', async () => {
    await using fixture = await aGitRepository();
    const repo = { gitDir: fixture.gitDir, searchPath };
    const args = ['show-ref', '--verify', '--quiet', 'refs/heads/none'];

    expect(await runGit({ ...limits, repo, args, exitCodes: [0, 1] })).toMatchObject({ exitCode: 1 });
    await expect(runGit({ ...limits, repo, args })).rejects.toMatchObject({ kind: 'terminal', code: 'git.failed' });
  });

  it('ends a call that answers too much', async () => {
    await using fixture = await aGitRepository();
    const commit = await fixture.commit({ big: 'x'.repeat(3_000_000) });
    const repo = { gitDir: fixture.gitDir, searchPath };

    const call = runGit({ ...limits, repo, args: ['cat-file', 'blob', `${commit}:big`] });

    await expect(call).rejects.toMatchObject({ kind: 'terminal', code: 'git.output_too_large' });
  });

  it('gives up in time, with every process it began', async () => {
    await using server = await startSilentServer();
    const network: GitNetwork = { url: server.url, configFile: null };

    const call = runGit({ ...limits, repo: outside, args: ['ls-remote', server.url], network, timeoutMs: 500 });

    await expect(call).rejects.toMatchObject({ kind: 'transient', code: 'git.timeout' });
    expect(await processesNaming(server.url)).toEqual([]);
  });

  it('ends with its signal, with every process it began', async () => {
    await using server = await startSilentServer();
    const network: GitNetwork = { url: server.url, configFile: null };
    const controller = new AbortController();
    const call = runGit({
      ...limits,
      repo: outside,
      args: ['ls-remote', server.url],
      network,
      signal: controller.signal,
    });
    await server.asked;

    expect(await processesNaming(server.url)).not.toEqual([]);
    controller.abort();

    await expect(call).rejects.toMatchObject({ kind: 'transient', code: 'aborted' });
    expect(await processesNaming(server.url)).toEqual([]);
  });

  it('kills what does not listen', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'git'), "#!/bin/sh\ntrap '' TERM\necho started\nwhile :; do sleep 0.05; done\n");
    await chmod(join(folder.path, 'git'), 0o755);
    const repo = { gitDir: null, searchPath: `${folder.path}:${searchPath}` } as const;

    const call = runGit({ ...limits, repo, args: ['x'], timeoutMs: 300 });

    await expect(call).rejects.toMatchObject({ code: 'git.timeout' });
  });

  it('does nothing once its signal is gone', async () => {
    const call = runGit({ ...limits, repo: outside, args: ['version'], signal: AbortSignal.abort() });

    await expect(call).rejects.toMatchObject({ code: 'aborted' });
  });

  it('says that git is missing', async () => {
    const call = runGit({ ...limits, repo: { gitDir: null, searchPath: '/nonexistent' }, args: ['version'] });

    await expect(call).rejects.toMatchObject({ kind: 'config', message: expect.stringContaining('install git') });
  });

  it('reaches no host unless it is told of a network', async () => {
    await using server = await startSilentServer();
    let asked = false;
    void server.asked.then(() => (asked = true));

    const network: GitNetwork = { url: server.url, configFile: null };
    const calls: readonly (readonly [string, GitNetwork?])[] = [
      [server.url],
      ['file:///tmp'],
      ['ext::sh -c "echo >&2 ran"', network],
      ['ssh://127.0.0.1/x', network],
      ['file:///tmp', network],
    ];
    for (const [url, ...networks] of calls) {
      const [told] = networks;
      const call = {
        ...limits,
        repo: outside,
        args: ['ls-remote', url],
        ...(told === undefined ? {} : { network: told }),
      };
      await expect(runGit(call)).rejects.toMatchObject({ message: expect.stringContaining('not allowed') });
    }

    expect(asked).toBe(false);
  });
});

describe('the environment of git', () => {
  it('holds nothing of ours and reads no settings but its own', async () => {
    await using folder = await temporaryFolder();
    const script = `#!/bin/sh\nexec env > ${folder.path}/seen\n`;
    await writeFile(join(folder.path, 'git'), script);
    await chmod(join(folder.path, 'git'), 0o755);
    process.env['DRYDOCK_TEST_SECRET'] = 'canary';

    await runGit({ ...limits, repo: { gitDir: null, searchPath: `${folder.path}:${searchPath}` }, args: ['x'] });

    delete process.env['DRYDOCK_TEST_SECRET'];
    const seen = await readFile(join(folder.path, 'seen'), 'utf8');
    expect(seen).not.toContain('canary');
    expect(seen).toContain('GIT_CONFIG_GLOBAL=/dev/null');
    expect(seen).toContain('GIT_CONFIG_NOSYSTEM=1');
  });

  it('runs nothing that the settings or attributes of a repository name', async () => {
    await using folder = await temporaryFolder();
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ f: 'a\n', '.gitattributes': '* diff=evil filter=evil merge=evil\n' });
    const head = await fixture.commit({ f: 'b\n' });
    const traps = [
      ...[
        'core.fsmonitor',
        'core.sshCommand',
        'core.editor',
        'core.pager',
        'core.askPass',
        'core.alternateRefsCommand',
      ],
      ...['diff.external', 'diff.evil.command', 'diff.evil.textconv', 'filter.evil.clean', 'filter.evil.smudge'],
      ...['merge.evil.driver', 'credential.helper', 'gpg.program', 'pager.log', 'pager.blame'],
    ];
    for (const name of traps) await fixture.git(['config', name, `sh -c 'echo ${name} >> ${folder.path}/ran; cat' 0`]);
    await fixture.git(['config', 'log.showSignature', 'true']);
    await fixture.git(['config', 'core.hooksPath', folder.path]);
    await fixture.git(['update-ref', `refs/replace/${head}`, base]);
    await writeFile(join(fixture.gitDir, 'info/attributes'), '* diff=evil filter=evil\n');
    const repo = { gitDir: fixture.gitDir, searchPath };

    const [file] = await readDiff({ repo, baseSha: base, headSha: head }, never);
    await readLog({ repo, head, maxCount: 1, paths: ['f'] }, never);
    await readBlame({ repo, revision: head, path: 'f' }, never);
    await listTree({ repo, revision: head, withSizes: true }, never);

    expect(await readdir(folder.path)).toEqual([]);
    expect(file?.rows.count).toBe(2); // The replaced commit would have shown nothing.
    await fixture.git(['-c', 'core.useReplaceRefs=false', 'diff-tree', '-r', '-p', '--ext-diff', base, head]);
    expect(await readdir(folder.path)).toEqual(['ran']); // The traps are real.
  });

  it('sees no attributes of a checkout, which could hide changes', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ f: 'a\n', '.gitattributes': '* -diff\n' });
    const head = await fixture.commit({ f: 'b\n' });
    await using folder = await temporaryFolder();
    await fixture.git(['clone', '-q', fixture.gitDir, join(folder.path, 'checkout')]);
    const repo = { gitDir: join(folder.path, 'checkout', '.git'), searchPath };

    const { stdout } = await runGit({ ...limits, repo, args: ['diff-tree', '-r', '-p', base, head] });

    expect(stdout.toString()).toContain('-a\n+b\n');
  });
});

describe('startGit', () => {
  it('streams both ways', async () => {
    await using git = startGit({ repo: outside, args: ['hash-object', '--stdin'], signal: never, timeoutMs: null });

    git.stdin.write('x');
    git.stdin.end('\n');
    const output = await git.stdout.toArray();

    expect(Buffer.concat(output as Buffer[]).toString()).toBe('587be6b4c3f93f93c489c0111bba5596147a26cb\n');
    expect(await git.ended).toBe(0);
  });

  it('ends what still runs when it is disposed of', async () => {
    await using fixture = await aGitRepository();
    const repo = { gitDir: fixture.gitDir, searchPath };
    let ended: Promise<number>;

    {
      await using git = startGit({ repo, args: ['cat-file', '--batch'], signal: never, timeoutMs: null });
      ended = git.ended;
    }

    await expect(ended)
      .resolves.toBe(0)
      .catch(() => expect(ended).rejects.toMatchObject({ code: 'git.failed' }));
  });
});

/** Processes with this text among their arguments. */
async function processesNaming(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return commands.filter((command) => command.includes(text));
}
