import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { root, runCommand, type CommandResult } from './run-command.ts';

/** What the script uses of any POSIX system; nothing that could install anything. */
const tools = ['cat', 'cut', 'date', 'dirname', 'env', 'id', 'mkdir', 'rm', 'sed', 'sh', 'sleep', 'tail', 'wc'];

/** A machine of which we say what is on PATH: programs are shell scripts by name. */
interface Machine extends AsyncDisposable {
  readonly checkout: string;
  bootstrap(...args: string[]): Promise<CommandResult>;
}

async function aMachine(programs: Readonly<Record<string, string>>): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-machine-'));
  const bin = join(folder, 'bin');
  const checkout = join(folder, 'check out');
  await mkdir(bin);
  await mkdir(join(checkout, 'scripts'), { recursive: true });
  await cp(join(root, 'scripts', 'bootstrap.sh'), join(checkout, 'scripts', 'bootstrap.sh'));
  for (const tool of tools) await symlink(await whereIs(tool), join(bin, tool));
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return {
    checkout,
    bootstrap: (...args) =>
      runCommand('env', ['-i', `PATH=${bin}`, 'sh', 'scripts/bootstrap.sh', ...args], { cwd: checkout }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function whereIs(tool: string): Promise<string> {
  const found = ['/usr/bin', '/bin', ...(process.env['PATH'] ?? '').split(delimiter)]
    .map((folder) => join(folder, tool))
    .find((file) => existsSync(file));
  if (found === undefined) throw new Error(`no ${tool} on this machine`);
  return found;
}

const git = 'exit 0';
/** Node 18: `installed.js` is satisfied once npm has left a stamp. */
const node18 = 'case "$1" in --version) echo v18.20.4 ;; *) test -e node_modules/stamp ;; esac';
const npm =
  'case "$1" in --version) echo 9.2.0 ;; ci) echo "$*" >> calls; mkdir -p node_modules && : > node_modules/stamp ;; esac';

describe('bootstrap.sh', () => {
  it('installs once, with what the checks need whatever the npm settings of the user say', async () => {
    await using machine = await aMachine({ git, node: node18, npm });

    const first = await machine.bootstrap();
    const second = await machine.bootstrap();

    expect(first).toEqual({ exitCode: 0, output: expect.stringMatching(/^Installing dependencies .* \d+ s\n$/) });
    expect(second).toEqual({ exitCode: 0, output: '' });
    const calls = await readFile(join(machine.checkout, 'calls'), 'utf8');
    expect(calls).toBe(
      'ci --include=dev --include=optional --ignore-scripts=false --no-audit --no-fund --loglevel=error\n',
    );
  });

  it('installs again after an installation that was killed half-way', async () => {
    const npmKilledOnce = `case "$1" in
      --version) echo 9.2.0 ;;
      ci) mkdir -p node_modules; if test -e was-killed; then : > node_modules/stamp; else : > was-killed; kill -9 $PPID; fi ;;
    esac`;
    await using machine = await aMachine({ git, node: node18, npm: npmKilledOnce });

    await machine.bootstrap();
    const second = await machine.bootstrap();

    expect(second.exitCode).toBe(0);
    expect(second.output).toContain('Installing dependencies');
  });

  it('shows what npm said when it fails twice, and what to look at', async () => {
    await using machine = await aMachine({
      git,
      node: node18,
      npm: 'case "$1" in --version) echo 9.2.0 ;; ci) echo "npm error code ENOTFOUND"; exit 1 ;; esac',
    });

    const { exitCode, output } = await machine.bootstrap();

    expect(exitCode).toBe(1);
    expect(output).toContain('Trying once more');
    expect(output).toContain('npm error code ENOTFOUND');
    expect(output).toContain('NODE_EXTRA_CA_CERTS');
  });

  it.each([
    ['no git', { node: node18, npm }, 'Drydock needs git'],
    ['no Node', { git, npm }, 'Drydock needs Node.js to start'],
    ['no npm', { git, node: node18 }, 'Drydock needs npm'],
    ['a Node too old', { git, npm, node: 'echo v16.20.2' }, 'is v16.20.2: too old'],
    ['an npm too old', { git, node: node18, npm: 'echo 8.19.4' }, 'is 8.19.4: too old'],
  ])('says what to do with %s', async (_, programs, message) => {
    await using machine = await aMachine(programs);

    const { exitCode, output } = await machine.bootstrap();

    expect(exitCode).toBe(1);
    expect(output).toContain(message);
    expect(output).toMatch(/apt-get install|npm install/);
  });

  it('goes on without Redis and says what that skips', async () => {
    await using machine = await aMachine({ git, node: node18, npm });

    const { exitCode, output } = await machine.bootstrap('--redis');

    expect(exitCode).toBe(0);
    expect(output).toContain('No redis-server on PATH: the tests named *.redis.test.ts are skipped.');
  });
});
