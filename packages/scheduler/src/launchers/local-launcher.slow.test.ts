import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, systemClock } from '@drydock/core';
import { startProcess } from '@drydock/testkit';
import { openLifeLine, telling, type LifeLine } from '../testing/life-line.ts';
import {
  launcherContract,
  type AgentBehaviour,
  type GivenToAgent,
  type LauncherUnderTest,
} from './launcher.contract.ts';
import { LocalLauncher, type LocalLauncherSettings } from './local-launcher.ts';

const runId = '0123456789abcdef-1';
const never = new AbortController().signal;
const launch = { runId, token: new Secret('run-token-canary-0123456789'), deadlineSeconds: 60 };
const deaf = `process.on('SIGTERM', () => {});`;

/** Tells a file beside the program what it was given, then does as it should. */
function programOf(behaviour: AgentBehaviour, reportFile: string, lifeUrl: string): string {
  const child = (source: string) => `spawn(process.execPath, ['-e', ${JSON.stringify(source)}], { stdio: 'ignore' });`;
  const acts = {
    exits: () => `process.exit(${String(behaviour.kind === 'exits' ? behaviour.code : 0)});`,
    obeys: () => telling(lifeUrl),
    ignores: () => deaf + telling(lifeUrl) + child(deaf + telling(lifeUrl)),
    'leaves-a-child': () => `${child(deaf + telling(lifeUrl))} setTimeout(() => process.exit(0), 300);`,
  };
  return `
    import { spawn } from 'node:child_process';
    import { appendFileSync, readFileSync, statSync } from 'node:fs';
    const file = process.env.DRYDOCK_RUN_TOKEN_FILE;
    appendFileSync(${JSON.stringify(reportFile)}, JSON.stringify({
      surroundings: JSON.stringify([process.argv, process.env]),
      environmentNames: Object.keys(process.env),
      token: readFileSync(file, 'utf8'),
      tokenFileMode: statSync(file).mode & 0o777,
      folder: process.cwd(),
    }) + '\\n');
    ${acts[behaviour.kind]()}`;
}

describe('LocalLauncher', () => {
  let root: string;
  let life: LifeLine;
  beforeEach(async () => {
    process.env['DRYDOCK_TEST_CANARY'] = 'canary';
    root = await mkdtemp(join(tmpdir(), 'drydock-launcher-'));
    life = await openLifeLine();
  });
  afterEach(async () => {
    delete process.env['DRYDOCK_TEST_CANARY'];
    await life[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  async function launcherOf(program: string, changes: Partial<LocalLauncherSettings> = {}): Promise<LocalLauncher> {
    const file = join(root, 'agent.mjs');
    await writeFile(file, program);
    const settings = {
      command: [process.execPath, file] as const,
      gatewayUrl: 'http://127.0.0.1:1',
      workRoot: join(root, 'runs'),
      path: '/usr/bin:/bin',
      graceMs: 200,
    };
    return new LocalLauncher({ ...settings, ...changes }, systemClock);
  }

  const runs = () => readdir(join(root, 'runs')).catch(() => []);

  async function makeLauncher(behaviour: AgentBehaviour | null): Promise<LauncherUnderTest> {
    const report = join(root, 'given');
    const launcher = await (behaviour === null
      ? launcherOf('', { command: [join(root, 'no-such-program')] })
      : launcherOf(programOf(behaviour, report, life.url)));
    return {
      launcher,
      atWork: (count) => life.heardFrom(count),
      isAnythingAlive: () => life.isAnythingAlive(),
      leftovers: runs,
      async given() {
        const text = await readFile(report, 'utf8').catch(() => '');
        return text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as GivenToAgent);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  launcherContract(makeLauncher, [
    'DRYDOCK_END_WITH_STDIN',
    'DRYDOCK_GATEWAY_URL',
    'DRYDOCK_RUN_TOKEN_FILE',
    'DRYDOCK_WORK_DIR',
    'HOME',
    'PATH',
  ]);

  it('keeps the end of what the agent said, however much it says, and never its token', async () => {
    const launcher = await launcherOf(`
      import { readFileSync } from 'node:fs';
      const token = readFileSync(process.env.DRYDOCK_RUN_TOKEN_FILE, 'utf8');
      process.stderr.write('x'.repeat(20_000_000) + ' last words of ' + token, () => process.exit(3));`);

    const exit = await launcher.run(launch, never);

    expect(exit).toMatchObject({ kind: 'exited', code: 3 });
    const words = exit.kind === 'exited' ? exit.lastWords : '';
    expect(words).toMatch(/^x+ last words of \[redacted\]$/);
    expect(Buffer.byteLength(words)).toBeLessThanOrEqual(4096);
  });

  it('tells an agent that died of a signal', async () => {
    const launcher = await launcherOf(`process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);`);

    expect(await launcher.run(launch, never)).toMatchObject({ kind: 'exited', code: null, signal: 'SIGKILL' });
  });

  it('is not held up by a process that left the group and keeps its standard error open', async () => {
    const launcher = await launcherOf(`
      import { spawn } from 'node:child_process';
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
      process.stderr.write(String(child.pid));
      child.unref();`);

    const exit = await launcher.run(launch, never);

    expect(exit).toMatchObject({ kind: 'exited', code: 0 });
    process.kill(Number(exit.kind === 'exited' ? exit.lastWords : 0), 'SIGKILL');
  });

  it('reports a folder that cannot be made as a fault that may pass', async () => {
    await writeFile(join(root, 'file'), '');
    const launcher = await launcherOf('', { workRoot: join(root, 'file', 'runs') });

    await expect(launcher.run(launch, never)).rejects.toMatchObject({ kind: 'transient', code: 'run.crashed' });
  });

  it.each([
    ['one that ends when it should', ''],
    ['one that ignores every polite word', deaf],
    ['one that hangs', `setTimeout(() => { for (;;); }, 500);`],
  ])('leaves no agent, no child of it and no token behind when its own process is killed: %s', async (_name, habit) => {
    const program = join(root, 'agent.mjs');
    const child = JSON.stringify(deaf + telling(life.url));
    await writeFile(
      program,
      `import { spawn } from 'node:child_process';
       spawn(process.execPath, ['-e', ${child}], { stdio: 'ignore' });
       process.stdin.resume();
       ${telling(life.url)}
       ${habit}`,
    );
    const holder = new URL('../testing/hold-agent.ts', import.meta.url);
    await using scheduler = startProcess(holder, {}, [program, join(root, 'runs')]);
    await life.heardFrom(2);
    expect(await runs()).toHaveLength(1);

    scheduler.kill('SIGKILL');
    await scheduler.ended;

    while (await life.isAnythingAlive());
    while ((await runs()).length > 0) await systemClock.sleep(20, never);
    expect(await runs()).toEqual([]);
  });
});
