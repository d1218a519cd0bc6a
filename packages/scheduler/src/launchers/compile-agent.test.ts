import { lstat, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, silentLog, systemClock, type Log } from '@drydock/core';
import { compileAgent } from './compile-agent.ts';
import { LocalLauncher } from './local-launcher.ts';

describe('compileAgent', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'drydock-compile-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  async function programOf(text: string): Promise<readonly [string, string]> {
    const file = join(root, 'agent.mjs');
    await writeFile(file, text);
    return [process.execPath, file];
  }

  const compilesOnly = `
    import { mkdirSync, writeFileSync } from 'node:fs';
    const dir = process.env.NODE_COMPILE_CACHE;
    mkdirSync(dir + '/v1');
    writeFileSync(dir + '/v1/code', JSON.stringify({ args: process.argv.slice(2), names: Object.keys(process.env) }));`;

  it('lets the program fill a folder that nobody may write to then', async () => {
    await using compiled = compileAgent({ command: await programOf(compilesOnly), parentDir: root }, silentLog);
    await compiled.ended;

    const dir = compiled.dir ?? '';
    const modes = await Promise.all(['', 'v1', 'v1/code'].map(async (path) => (await lstat(join(dir, path))).mode));
    expect(modes.map((mode) => mode & 0o777)).toEqual([0o500, 0o500, 0o400]);
  });

  it('gives agents the folder as soon as it is filled', async () => {
    const command = await programOf(`process.stderr.write(process.env.NODE_COMPILE_CACHE ?? 'none');`);
    const launch = { runId: '0123456789abcdef-1', token: new Secret('token'), deadlineSeconds: 120 };
    const compiled: { dir: string | null } = { dir: null };
    const settings = { gatewayUrl: 'http://127.0.0.1:1', workRoot: join(root, 'runs'), path: '', graceMs: 200 };
    const launcher = new LocalLauncher({ ...settings, command, compiled }, systemClock);

    const early = await launcher.run(launch, new AbortController().signal);
    compiled.dir = '/compiled';
    const late = await launcher.run(launch, new AbortController().signal);

    expect([early, late]).toMatchObject([{ lastWords: 'none' }, { lastWords: '/compiled' }]);
  });

  it('takes its folder away, also when it is still being filled', async () => {
    const parentDir = join(root, 'compiled');
    const done = compileAgent({ command: await programOf(compilesOnly), parentDir }, silentLog);
    await done.ended;
    const endless = compileAgent({ command: await programOf('setInterval(() => {}, 1000)'), parentDir }, silentLog);

    await endless[Symbol.asyncDispose]();
    await done[Symbol.asyncDispose]();

    expect(await readdir(join(root, 'compiled'))).toEqual([]);
  });

  it('does without, and says so, when the program cannot be compiled', async () => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_facts, message) => warnings.push(message) };

    await using compiled = compileAgent(
      { command: await programOf('process.exit(3)'), parentDir: join(root, 'compiled') },
      log,
    );
    await compiled.ended;

    expect(compiled.dir).toBeNull();
    expect(warnings).toEqual(['agent not compiled, agents start slower']);
    expect(await readdir(join(root, 'compiled'))).toEqual([]);
  });
});
