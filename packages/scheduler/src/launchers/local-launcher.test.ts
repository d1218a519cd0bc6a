import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, systemClock } from '@drydock/core';
import { LocalLauncher } from './local-launcher.ts';

const runId = '0123456789abcdef-1';
const token = new Secret('run-token-canary-0123456789');

describe('LocalLauncher', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'drydock-launcher-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  async function launcherOf(program: string, graceMs = 200): Promise<LocalLauncher> {
    const file = join(root, 'agent.mjs');
    await writeFile(file, program);
    return new LocalLauncher(
      {
        command: [process.execPath, file],
        gatewayUrl: 'http://127.0.0.1:1',
        workRoot: join(root, 'runs'),
        path: '/usr/bin:/bin',
        graceMs,
      },
      systemClock,
    );
  }

  const never = new AbortController().signal;

  it('gives the agent an emptied environment, its token in a file of mode 0400, and no secret in its arguments', async () => {
    process.env['DRYDOCK_TEST_CANARY'] = 'leak';
    const launcher = await launcherOf(`
      import { readFileSync, statSync } from 'node:fs';
      const file = process.env.DRYDOCK_RUN_TOKEN_FILE;
      process.stderr.write(JSON.stringify({
        names: Object.keys(process.env).sort(), mode: statSync(file).mode & 0o777, token: readFileSync(file, 'utf8'),
        inArguments: process.argv.join(' ').includes('canary'), inEnvironment: JSON.stringify(process.env).includes('run-token-canary'),
        cwd: process.cwd() === process.env.DRYDOCK_WORK_DIR }));`);

    const exit = await launcher.run({ runId, token, deadlineSeconds: 20 }, never);

    delete process.env['DRYDOCK_TEST_CANARY'];
    expect(exit.kind === 'exited' ? JSON.parse(exit.lastWords) : exit).toEqual({
      names: ['DRYDOCK_GATEWAY_URL', 'DRYDOCK_RUN_TOKEN_FILE', 'DRYDOCK_WORK_DIR', 'HOME', 'PATH'],
      mode: 0o400,
      token: 'run-token-canary-0123456789',
      inArguments: false,
      inEnvironment: false,
      cwd: true,
    });
  });

  it('tells the exit code and leaves no folder behind', async () => {
    const launcher = await launcherOf(`process.exit(7)`);

    const exit = await launcher.run({ runId, token, deadlineSeconds: 20 }, never);

    expect(exit).toMatchObject({ kind: 'exited', code: 7 });
    expect(await readdir(join(root, 'runs'))).toEqual([]);
  });

  it('ends an agent at its deadline, even one that ignores every polite word, with all its children', async () => {
    const alive = await aHeartbeatServer();
    const launcher = await launcherOf(`
      import { spawn } from 'node:child_process';
      process.on('SIGTERM', () => {});
      const child = \`process.on('SIGTERM', () => {}); setInterval(() => fetch('${alive.url}').catch(() => {}), 50)\`;
      spawn(process.execPath, ['-e', child], { stdio: 'ignore' });
      setInterval(() => {}, 1000);`);

    const exit = await launcher.run({ runId, token, deadlineSeconds: 1 }, never);

    expect(exit).toEqual({ kind: 'timed-out' });
    expect(await alive.isSilentFor(400)).toBe(true);
    await alive.close();
  });

  it('ends an agent whose work is no longer wanted', async () => {
    const stop = new AbortController();
    const ready = await aHeartbeatServer();
    const launcher = await launcherOf(`setInterval(() => fetch('${ready.url}').catch(() => {}), 50)`);

    const running = launcher.run({ runId, token, deadlineSeconds: 60 }, stop.signal);
    await ready.firstBeat;
    stop.abort();

    expect(await running).toEqual({ kind: 'aborted' });
    expect(await ready.isSilentFor(300)).toBe(true);
    await ready.close();
  });

  it('starts nothing when the work is unwanted from the start', async () => {
    const launcher = await launcherOf(`process.exit(0)`);

    expect(await launcher.run({ runId, token, deadlineSeconds: 5 }, AbortSignal.abort())).toEqual({ kind: 'aborted' });
  });

  it('reports an agent that cannot be started as a fault that may pass', async () => {
    const launcher = new LocalLauncher(
      {
        command: [join(root, 'no-such-program')],
        gatewayUrl: 'http://127.0.0.1:1',
        workRoot: join(root, 'runs'),
        path: '',
        graceMs: 100,
      },
      systemClock,
    );

    await expect(launcher.run({ runId, token, deadlineSeconds: 5 }, never)).rejects.toMatchObject({
      kind: 'transient',
      code: 'run.crashed',
    });
  });
});

/** Hears from agents and their children as long as they live. */
async function aHeartbeatServer() {
  let lastBeatMs = 0;
  let heard: () => void = () => undefined;
  const firstBeat = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const server = createServer((_request, response) => {
    lastBeatMs = performance.now();
    heard();
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/`,
    firstBeat,
    async isSilentFor(ms: number) {
      const fromMs = performance.now();
      await systemClock.sleep(ms, new AbortController().signal);
      return lastBeatMs <= fromMs;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
