import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  aGitRepository,
  claudeFault,
  inOrder,
  reply,
  startFakeClaude,
  toolUse,
  type ClaudeScript,
} from '@drydock/testkit';
import { agentMainPath, exitCodes } from './index.ts';
import { aContext } from './testing/builders.ts';
import { testSearchPath } from './testing/open-review.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-agent-'));
  await mkdir(join(folder, 'work'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The agent as a launcher starts it: an emptied environment, its own folder, a pipe as standard input. */
async function start(
  gateway: TestGateway,
  more: Readonly<Record<string, string>> = { DRYDOCK_END_WITH_STDIN: 'true' },
  stdin: 'pipe' | 'ignore' = 'pipe',
) {
  const tokenFile = join(folder, 'run-token');
  await rm(tokenFile, { force: true });
  await writeFile(tokenFile, gateway.token);
  await chmod(tokenFile, 0o400);
  const child = spawn(process.execPath, [agentMainPath], {
    cwd: join(folder, 'work'),
    env: {
      PATH: testSearchPath,
      HOME: folder,
      DRYDOCK_GATEWAY_URL: gateway.url,
      DRYDOCK_RUN_TOKEN_FILE: tokenFile,
      DRYDOCK_WORK_DIR: join(folder, 'work'),
      ...more,
    },
    stdio: [stdin, 'ignore', 'pipe'],
  });
  if (child.stderr === null) throw new Error('no standard error');
  child.stderr.setEncoding('utf8');
  let words = '';
  child.stderr.on('data', (text: string) => (words += text));
  const ended = once(child, 'close').then(([code]: unknown[]) => ({ code, words }));
  return { child, ended };
}

async function withGateway(script: ClaudeScript, work: (gateway: TestGateway) => Promise<void>): Promise<void> {
  await using repository = await aGitRepository();
  const baseSha = await repository.commit({ 'a.js': 'one\n' });
  const headSha = await repository.commit({ 'a.js': 'two\n' });
  await using claude = await startFakeClaude({ apiKey: 'key', script });
  await using gateway = await startTestGateway({
    gitDir: repository.gitDir,
    context: aContext({ baseSha, startSha: baseSha, headSha }),
    model: { url: claude.url, apiKey: claude.apiKey },
  });
  await work(gateway);
  expect(gateway.violations).toEqual([]);
}

const review = inOrder([
  reply.blocks([toolUse('show_diff', {}), toolUse('show_diff', { path: 'a.js' })]),
  reply.toolUse('finish_review', { summary: 'Fine.' }),
]);

describe('the agent as a process', () => {
  it('reviews with nothing but what it was given, and keeps to its folder', async () => {
    await withGateway(review, async (gateway) => {
      const { ended } = await start(gateway);

      expect(await ended).toEqual({ code: exitCodes.handedIn, words: '' });
      expect(gateway.results).toMatchObject([{ result: { kind: 'review', summary: 'Fine.' } }]);
      expect((await readdir(folder)).sort()).toEqual(['run-token', 'work']);
      expect(await readdir(join(folder, 'work'))).toEqual(['repository.git']);
    });
  });

  it('compiles ahead all that a run loads', async () => {
    await withGateway(review, async (gateway) => {
      const more = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
      const compiled = () => readdir(more.NODE_COMPILE_CACHE, { recursive: true });

      await promisify(execFile)(process.execPath, [agentMainPath, '--compile'], { env: more });
      const ahead = await compiled();
      const { ended } = await start(gateway, more);

      expect((await ended).code).toBe(exitCodes.handedIn);
      expect(ahead.length).toBeGreaterThan(100);
      expect(await compiled()).toEqual(ahead);
    });
  });

  it.each(['its standard input closes', 'it gets SIGTERM'])('ends when %s', async (how) => {
    await withGateway(
      () => reply.fault(claudeFault.hang()),
      async (gateway) => {
        const { child, ended } = await start(gateway);
        while (!gateway.requests.some((request) => request.includes('/messages'))) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }

        if (how.includes('SIGTERM')) child.kill('SIGTERM');
        else child.stdin?.end();

        expect(await ended).toMatchObject({ code: exitCodes.stopped });
        expect(gateway.results).toEqual([]);
      },
    );
  });

  it.each(['/dev/null', 'a pipe that is closed from the start'])(
    'reviews in a pod, whose standard input is %s',
    async (input) => {
      await withGateway(review, async (gateway) => {
        const { child, ended } = await start(gateway, {}, input === '/dev/null' ? 'ignore' : 'pipe');
        child.stdin?.end();

        expect((await ended).code).toBe(exitCodes.handedIn);
      });
    },
  );

  it('names every wrong setting', async () => {
    await withGateway(review, async (gateway) => {
      const { ended } = await start(gateway, { DRYDOCK_GATEWAY_URL: 'ftp://x', DRYDOCK_WORK_DIR: '' });

      expect(await ended).toEqual({
        code: exitCodes.badConfig,
        words: expect.stringMatching(/DRYDOCK_GATEWAY_URL.*\n.*DRYDOCK_WORK_DIR/),
      });
    });
  });

  it('needs a token that is one', async () => {
    await withGateway(review, async (gateway) => {
      const missing = await start(gateway, { DRYDOCK_RUN_TOKEN_FILE: join(folder, 'nothing') });
      await writeFile(join(folder, 'bad'), 'two\nlines');
      const bad = await start(gateway, { DRYDOCK_RUN_TOKEN_FILE: join(folder, 'bad') });

      for (const { ended } of [missing, bad]) {
        expect(await ended).toMatchObject({
          code: exitCodes.badConfig,
          words: expect.stringContaining('DRYDOCK_RUN_TOKEN_FILE'),
        });
      }
    });
  });
});

describe('exitCodes', () => {
  it('never takes the code of the isolation check', () => {
    expect(Object.values(exitCodes)).not.toContain(42);
    expect(new Set(Object.values(exitCodes)).size).toBe(Object.keys(exitCodes).length);
  });
});
