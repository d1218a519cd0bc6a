import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleApp } from './bundle-app.ts';

/** The targets of the Dockerfile that are images. */
export const imageNames = ['server', 'scheduler', 'gateway', 'agent', 'preflight'] as const;
export type ImageName = (typeof imageNames)[number];

const files = ['Dockerfile', '.dockerignore', '.npmrc', 'LICENSE', 'package.json', 'package-lock.json'];
const buildScripts = ['scripts/bundle-apps.ts', 'scripts/run-command.ts', 'scripts/images', 'scripts/package'];
/** Of these only the manifest goes to the build, as .dockerignore says: they are in no image. */
const withoutSources = new Set(['cli', 'standalone', 'testkit']);

/** Every file that an image is made of, as sorted paths from the root: what the build is given, and no test. */
export function imageInputs(root: string): readonly string[] {
  const packages = readdirSync(join(root, 'packages')).flatMap((name) => [
    ...filesBelow(root, `packages/${name}/package.json`),
    ...(withoutSources.has(name) ? [] : filesBelow(root, `packages/${name}/src`)),
  ]);
  return [...files, ...buildScripts.flatMap((path) => filesBelow(root, path)), ...packages].sort();
}

/** Names what images would hold: the same files on the same base give the same word of 16 hex digits. */
export function imageKey(root: string, baseId: string, paths: readonly string[]): string {
  const hash = createHash('sha256').update(`1\n${baseId}\n${process.arch}\n`);
  for (const path of paths) {
    const text = readFileSync(join(root, path));
    hash.update(`${path}\n${text.length}\n`).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * Of all inputs those that this image is made of: how it is built, what npm installs, and the sources of its program.
 * What another program alone is made of changes it not.
 */
export async function inputsOf(root: string, name: ImageName): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-bundle-'));
  try {
    const { sources } = await bundleApp({ root, app: name, outDir: folder });
    const used = new Set([...sources, `packages/${name}/package.json`]);
    return imageInputs(root).filter((path) => !path.startsWith('packages/') || used.has(path) || isText(path, sources));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A text that is copied beside the program: it lies below a folder of its sources. */
function isText(path: string, sources: readonly string[]): boolean {
  if (path.endsWith('.ts')) return false;
  const [, app = ''] = path.split('/');
  return sources.some((source) => source.startsWith(`packages/${app}/src/`));
}

function filesBelow(root: string, path: string): string[] {
  let entries;
  try {
    entries = readdirSync(join(root, path), { withFileTypes: true, recursive: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'ENOTDIR') return [path];
    if (error.code === 'ENOENT') return []; // a folder that holds something else than a package
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => `${entry.parentPath.slice(root.length + 1)}/${entry.name}`);
}
