import { execFile, spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const binDir = fileURLToPath(new URL('../bin', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-bin-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function version(environment: Record<string, string>): Promise<string> {
  return (await run(process.execPath, [join(binDir, 'drydock.js'), '--version'], { env: environment })).stdout;
}

const compiledIn = async (caches: string) => readdir(join(caches, 'drydock', 'compiled')).catch(() => []);

describe('compiled code', () => {
  it("is kept in a folder of the user alone, below the user's caches", async () => {
    await version({ HOME: folder });

    expect(await compiledIn(join(folder, '.cache'))).not.toEqual([]);
    for (const made of ['.cache/drydock', '.cache/drydock/compiled'])
      expect((await stat(join(folder, made))).mode & 0o777).toBe(0o700);
  });

  it('is kept of the newest versions alone, and not looked through at every start', async () => {
    const compiled = join(folder, '.cache', 'drydock', 'compiled');
    for (const [age, old] of ['0.0.3', '0.0.2', '0.0.1', 'v24.1.0-x64'].entries()) {
      await mkdir(join(compiled, old, 'inside'), { recursive: true });
      await utimes(join(compiled, old), 1_700_000_000, 1_700_000_000 - age);
    }
    for (const made of ['.cache', '.cache/drydock', '.cache/drydock/compiled']) await chmod(join(folder, made), 0o700);

    const current = (await version({ HOME: folder })).trim();

    expect(await readdir(compiled)).toEqual(['0.0.2', '0.0.3', current].sort());
    expect(await readdir(join(compiled, current))).not.toEqual([]);

    await mkdir(join(compiled, '9.9.9'));
    await version({ HOME: folder });

    expect(await readdir(compiled)).toHaveLength(4);
  });

  it.each([
    ['anybody may exchange the folder', (caches: string) => chmod(caches, 0o777)],
    [
      'others may write to it',
      async (caches: string) => {
        await mkdir(join(caches, 'drydock', 'compiled'), { recursive: true });
        await chmod(join(caches, 'drydock', 'compiled'), 0o770);
      },
    ],
    [
      'a link leads to where others may write',
      async (caches: string) => {
        await mkdir(join(caches, 'open'));
        await chmod(join(caches, 'open'), 0o777);
        await mkdir(join(caches, 'open', 'compiled'));
        await symlink('open', join(caches, 'drydock'));
      },
    ],
    ['a file is in its place', (caches: string) => writeFile(join(caches, 'drydock'), '')],
  ])('is not kept when %s, and the command runs all the same', async (_why, arrange) => {
    const caches = join(folder, 'caches');
    await mkdir(caches);
    await arrange(caches);

    expect(await version({ XDG_CACHE_HOME: caches })).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await compiledIn(caches)).toEqual([]);
  });

  it('is not kept for who has no home', async () => {
    expect(await version({ XDG_CACHE_HOME: 'relative' })).toMatch(/^\d/);
  });
});

describe('an older Node', () => {
  /** The command as installed, on a Node that says it is another: the version is all that the command looks at. */
  async function onNode(nodeVersion: string, { checkout }: { readonly checkout: boolean }) {
    const home = join(folder, 'node_modules', '@drydock', 'cli');
    await cp(binDir, join(home, 'bin'), { recursive: true });
    await writeFile(join(home, 'package.json'), '{"type":"module"}');
    if (checkout) {
      await mkdir(join(home, 'src'));
      await writeFile(join(home, 'src', 'main.ts'), '');
    }
    const pretend = join(folder, 'pretend.cjs');
    const versions = { ...process.versions, node: nodeVersion };
    await writeFile(pretend, `Object.defineProperty(process, 'versions', { value: ${JSON.stringify(versions)} });`);
    const args = ['--require', pretend, join(home, 'bin', 'drydock.js'), 'review'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { env: {}, encoding: 'utf8' });
    return { code: status, stdout, stderr };
  }

  async function installNode(nodeVersion: string, script: string) {
    const program = join(folder, 'node_modules', 'node', 'bin', 'node');
    await mkdir(join(folder, 'node_modules', 'node', 'bin'), { recursive: true });
    await writeFile(join(folder, 'node_modules', 'node', 'package.json'), JSON.stringify({ version: nodeVersion }));
    await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  it('is told of, with a line that works', async () => {
    const { code, stderr } = await onNode('20.19.0', { checkout: false });

    expect(code).toBe(1);
    expect(stderr).toContain('needs Node 24 or newer; this is Node 20.19.0');
    expect(stderr).toMatch(/npx -p node@24 node "\/.*\/bin\/drydock\.js" review\n/);
  });

  it('is told of in a checkout, which brings its own', async () => {
    const { code, stderr } = await onNode('18.20.0', { checkout: true });

    expect(code).toBe(1);
    expect(stderr).toContain('npm ci');
  });

  it('hands over to a Node 24 that was installed beside the command', async () => {
    await installNode('24.1.0', 'shift; echo "handed over: $*"');

    expect(await onNode('20.19.0', { checkout: false })).toMatchObject({ code: 0, stdout: 'handed over: review\n' });
  });

  it('does not hand over to another old one', async () => {
    await installNode('22.1.0', 'echo wrong');

    expect(await onNode('20.19.0', { checkout: false })).toMatchObject({ code: 1, stdout: '' });
  });
});
