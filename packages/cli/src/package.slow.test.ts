import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const run = promisify(execFile);
const checkout = fileURLToPath(new URL('../../..', import.meta.url));
const maxPackedBytes = 2_500_000;
const maxUnpackedBytes = 12_000_000;

const Packed = z.tuple([
  z.object({
    filename: z.string(),
    size: z.int(),
    unpackedSize: z.int(),
    files: z.array(z.object({ path: z.string() })),
  }),
]);
const Manifest = z.looseObject({
  engines: z.object({ node: z.string() }),
  license: z.string(),
  private: z.literal(false).optional(),
});

/** Outside the checkout, so that nothing in its node_modules is found. */
let folder: string;
let packed: z.infer<typeof Packed>[0];
/** Who installs it: no settings, caches or registry of the machine. */
let environment: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-package-'));
  const home = join(folder, 'home');
  await mkdir(home);
  const bins = [join(checkout, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter);
  // npm pack builds anew: what is tested here is what would be published.
  const { stdout } = await run('npm', ['pack', '--json', '-w', 'packages/cli', '--pack-destination', folder], {
    cwd: checkout,
    env: { PATH: bins, HOME: home },
    maxBuffer: 16 * 2 ** 20,
  });
  packed = Packed.parse(JSON.parse(stdout))[0];
  environment = { PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter), HOME: home };
  await mkdir(join(folder, 'project'));
  await writeFile(join(folder, 'project', 'package.json'), '{"private":true}');
  const registry = 'http://127.0.0.1:9/'; // nobody answers: the package is complete in itself
  await run('npm', ['install', '--offline', '--registry', registry, join(folder, packed.filename)], {
    cwd: join(folder, 'project'),
    env: environment,
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const author = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

const bin = () => join(folder, 'project', 'node_modules', '.bin', 'drydock');
const drydock = (...args: string[]) =>
  run(bin(), args, {
    cwd: join(folder, 'project'),
    env: environment,
    maxBuffer: 16 * 2 ** 20,
  });

describe('the npm package', () => {
  it('says its version and what it can do', async () => {
    const { version } = Manifest.extend({ version: z.string() }).parse(
      JSON.parse(await readFile(join(checkout, 'packages/cli/package.json'), 'utf8')),
    );

    expect((await drydock('--version')).stdout).toBe(`${version}\n`);
    expect((await drydock('--help')).stdout).toContain('demo');
  });

  it('reviews, from the webhook to the comments', async () => {
    const { stdout, stderr } = await drydock('demo', '--json');

    expect(JSON.parse(stdout)).toMatchObject({ problems: [] });
    expect(stderr).toBe('');
  });

  it('reviews a branch of a checkout, with nothing to set up', async () => {
    const repository = join(folder, 'repository');
    const git = (...args: string[]) => run('git', ['-C', repository, ...args], { env: { ...environment, ...author } });
    await mkdir(repository);
    await git('init', '--quiet', '--initial-branch=main');
    await git('commit', '--quiet', '--allow-empty', '--message=Begin');
    await git('checkout', '--quiet', '-b', 'search');
    await writeFile(
      join(repository, 'find.ts'),
      "export const find = (db, id) => db.query(`SELECT 1 WHERE id = '${id}'`);\n",
    );
    await git('add', '.');
    await git('commit', '--quiet', '--message=Find by id');

    const { stdout } = await run(bin(), ['review', '--model', 'scripted', '--format', 'json'], {
      cwd: repository,
      env: environment,
    });

    expect(JSON.parse(stdout)).toMatchObject({ model: 'scripted', findings: [{ path: 'find.ts' }] });
    expect((await git('status', '--porcelain')).stdout).toBe('');
  });

  it('installs nothing beside itself', async () => {
    const modules = join(folder, 'project', 'node_modules');
    const installed = Manifest.parse(JSON.parse(await readFile(join(modules, '@drydock/cli/package.json'), 'utf8')));

    expect((await readdir(modules)).filter((name) => !name.startsWith('.'))).toEqual(['@drydock']);
    expect(await readdir(join(modules, '@drydock'))).toEqual(['cli']);
    expect(installed).toMatchObject({ license: 'MIT', engines: { node: '>=24' } });
    for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies', 'bundleDependencies'])
      expect(installed[kind]).toBeUndefined();
  });

  it('holds what runs and its licences, and nothing of ours to work with', () => {
    const paths = packed.files.map(({ path }) => path);
    const expected = [
      /^(LICENSE|README\.md|THIRD-PARTY-NOTICES|package\.json)$/,
      /^bin\/(drydock|compile-cache)\.js$/,
      /^dist\/(main|agent)\.js$/,
      /^dist\/[\w-]+-[0-9A-Z]{8}\.js$/,
      /^dist\/assets\/agent\/(prompt|tools)\/[\w-]+\.md$/,
      /^dist\/assets\/(queue|gateway\/runs)\/lua\/[\w-]+\.lua$/,
      /^dist\/assets\/testkit\/demo\/files\/.+\.(txt|png)$/, // the made-up repository of the demo
    ];

    expect(paths.filter((path) => !expected.some((pattern) => pattern.test(path)))).toEqual([]);
    for (const path of ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES', 'dist/main.js', 'dist/agent.js'])
      expect(paths).toContain(path);
  });

  it('is small, and names no place of the machine that built it', async () => {
    const dist = join(folder, 'project/node_modules/@drydock/cli/dist');
    const scripts = (await readdir(dist)).filter((name) => name.endsWith('.js'));
    const texts = await Promise.all(scripts.map((name) => readFile(join(dist, name), 'utf8')));

    expect(packed.size).toBeLessThan(maxPackedBytes);
    expect(packed.unpackedSize).toBeLessThan(maxUnpackedBytes);
    expect(scripts.filter((_name, index) => texts[index]?.includes(checkout))).toEqual([]);
  });

  it('keeps compiled code for the user alone', async () => {
    const compiled = await stat(join(folder, 'home', '.cache', 'drydock', 'compiled'));

    expect(compiled.mode & 0o777).toBe(0o700);
  });

  it('says plainly what an older Node is missing', async () => {
    const pretend = join(folder, 'pretend.cjs');
    const versions = JSON.stringify({ ...process.versions, node: '20.19.0' });
    await writeFile(pretend, `Object.defineProperty(process, 'versions', { value: ${versions} });`);
    const script = join(folder, 'project/node_modules/@drydock/cli/bin/drydock.js');

    await expect(
      run(process.execPath, ['--require', pretend, script, 'review'], { env: environment }),
    ).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`npx -p node@24 node "${script}" review`),
    });
  });
});
