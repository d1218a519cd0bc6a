/**
 * Builds the images with buildah, each once for the same inputs: they are named by a hash of all that goes into them,
 * and lie as archives in a folder of the user's caches, where nothing else is asked whether they are there. Another
 * checkout of the same sources builds nothing.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { pullBaseImage } from '../../cluster/start-cluster.ts';
import { clientSettings } from './client-settings.ts';
import { imageFolder, isKept, keepImage, lockImages } from './image-archives.ts';
import { imageKey, type ImageName } from './image-inputs.ts';
import { keptInputs } from './kept-inputs.ts';

const run = promisify(execFile);

const label = 'org.opencontainers.image';
const Manifest = z.object({ version: z.string() });

/** An image, ready to be imported. */
export interface BuiltImage {
  readonly name: ImageName;
  /** What containerd calls it after the import: `localhost/drydock/<name>:<key>`. */
  readonly reference: string;
  /** A docker archive, for `ctr images import`. */
  readonly archive: string;
}

/** How images are built. */
export interface ImageOptions {
  readonly root: string;
  readonly names: readonly ImageName[];
  readonly signal: AbortSignal;
  /** Told in a few words what is being done; nothing when all is there. */
  readonly onProgress?: (step: string) => void;
}

/** The images of this checkout, built if their inputs changed. Throws an `Error` with the end of the build's output. */
export async function buildImages(options: ImageOptions): Promise<readonly BuiltImage[]> {
  const { root, names, signal, onProgress = () => undefined } = options;
  const folder = imageFolder(process.env);
  await mkdir(folder, { recursive: true });
  await using _lock = await lockImages(folder, { signal, onProgress });
  const base = await pullBaseImage(signal, onProgress);
  const inputs = await keptInputs(root, folder);
  const built: BuiltImage[] = [];
  for (const name of names) {
    const key = imageKey(root, base, inputs[name]);
    const image = { name, reference: `localhost/drydock/${name}:${key}`, archive: join(folder, `${name}-${key}.tar`) };
    if (!(await isKept(image.archive))) {
      const startedMs = performance.now();
      onProgress(`building the image ${name}`);
      await buildTarget(image, root, signal);
      const { size } = await stat(image.archive);
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
      onProgress(`built the image ${name}: ${(size / 1e6).toFixed(0)} MB, ${seconds} s`);
    }
    built.push(image);
    await keepImage(image, forget);
  }
  return built;
}

/** The Redis that the chart runs, for test clusters, which reach no registry: Debian's, under a name of tests. */
export async function buildTestRedis({ root, signal, onProgress = () => undefined }: Omit<ImageOptions, 'names'>) {
  const file = 'scripts/images/redis.Dockerfile';
  const folder = imageFolder(process.env);
  await mkdir(folder, { recursive: true });
  await using _lock = await lockImages(folder, { signal, onProgress });
  const key = imageKey(root, await pullBaseImage(signal, onProgress), [file, 'scripts/images/collect-root.sh']);
  const image = { reference: `localhost/drydock-test/redis:${key}`, archive: join(folder, `redis-${key}.tar`) };
  if (!(await isKept(image.archive))) {
    onProgress('building an image of Redis');
    await build(image, { root, file, args: [], signal });
  }
  await keepImage(image, forget);
  return image;
}

/** What `buildah bud` is told beside what all builds share. */
interface Build {
  readonly root: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
}

async function build(
  { reference, archive }: Pick<BuiltImage, 'reference' | 'archive'>,
  { root, file, args, signal }: Build,
): Promise<void> {
  const settings = await mkdtemp(join(tmpdir(), 'drydock-images-'));
  try {
    await buildah(
      [
        ...['bud', '--layers', '--pull-never', '--tag', reference, '--file', file, ...args],
        ...['--network', 'host', '--isolation', (await hasRuntime()) ? 'oci' : 'chroot'],
        // The same sources give the same bytes, whenever they are built.
        ...['--timestamp', process.env['SOURCE_DATE_EPOCH'] ?? '0'],
        ...clientSettings(settings, process.env),
        '.',
      ],
      root,
      signal,
    );
    await rm(`${archive}.new`, { force: true });
    await run('buildah', ['push', '--quiet', reference, `docker-archive:${archive}.new:${reference}`], { signal });
    await rename(`${archive}.new`, archive);
  } finally {
    await rm(settings, { recursive: true, force: true });
  }
}

async function buildTarget(image: BuiltImage, root: string, signal: AbortSignal): Promise<void> {
  const version = await versionOf(root);
  const revision = process.env['REVISION'] ?? 'unknown';
  const args = [
    ...['--target', image.name, '--build-arg', `VERSION=${version}`, '--build-arg', `REVISION=${revision}`],
    // Its cache takes a layer of other build arguments for the same: these go over it.
    ...['--label', `${label}.version=${version}`, '--label', `${label}.revision=${revision}`],
  ];
  await build(image, { root, file: 'Dockerfile', args, signal });
}

/** Gives an image the tag that people expect, `localhost/drydock/<name>:<version>`, in buildah's store; returns it. */
export async function tagImage({ name, reference, archive }: BuiltImage, root: string, signal: AbortSignal) {
  const tag = `localhost/drydock/${name}:${await versionOf(root)}`;
  const isStored = await run('buildah', ['inspect', '--type', 'image', reference], { signal }).then(
    () => true,
    () => false,
  );
  if (!isStored) await run('buildah', ['pull', '--quiet', `docker-archive:${archive}`], { signal });
  await run('buildah', ['tag', reference, tag], { signal });
  return tag;
}

async function versionOf(root: string): Promise<string> {
  return Manifest.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))).version;
}

/** Chroot isolation is no boundary, but it needs no container runtime; what runs in these builds is our own. */
async function hasRuntime(): Promise<boolean> {
  return run('runc', ['--version']).then(
    () => true,
    () => false,
  );
}

async function buildah(args: readonly string[], cwd: string, signal: AbortSignal): Promise<void> {
  const child = spawn('buildah', args, { cwd, signal, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-100_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`buildah ended with ${String(code)}:\n${output.slice(-4000)}`);
}

/** It may have been removed by hand; layers that others have too stay. */
async function forget(reference: string): Promise<void> {
  await run('buildah', ['rmi', reference]).catch(() => undefined);
}
