import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { holdLock } from '../../cluster/start-cluster.ts';

/** Of each image, those used last: of this checkout, of others, of the branch before. Each has up to 170 MB. */
const keptOfEach = 3;

/** An image as it lies here. */
interface Archived {
  /** Name and tag; the tag is the key that the archive's name has too. */
  readonly reference: string;
  /** `<name>-<key>.tar` in the folder. */
  readonly archive: string;
}

/** Where built images are kept, outside of every checkout, so that all of a user share them. */
export function imageFolder(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'drydock', 'images');
}

/** One at a time builds into the folder, or removes from it. */
export async function lockImages(
  folder: string,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (step: string) => void },
): Promise<AsyncDisposable> {
  return holdLock(`images-${folder}`.slice(-90), () => 'building the images', {
    signal,
    onWait: ({ pid, doing }) => onProgress(`waiting for process ${pid}, which is ${doing}`),
  });
}

/** Whether it was built; archives get their names when they are whole. */
export async function isKept(archive: string): Promise<boolean> {
  return stat(archive).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Notes that an image is in use, and removes those of the same name that have not been for the longest time. */
export async function keepImage(
  { reference, archive }: Archived,
  forget: (reference: string) => Promise<void>,
  nowMs = Date.now(),
): Promise<void> {
  await utimes(archive, nowMs / 1000, nowMs / 1000);
  const folder = dirname(archive);
  const repository = reference.slice(0, reference.lastIndexOf(':'));
  const same = (await readdir(folder)).flatMap((file) => {
    const [, name, key] = /^([a-z]+)-([0-9a-f]{16})[.]tar$/.exec(file) ?? [];
    return name === basename(repository) && key !== undefined ? [{ path: join(folder, file), key }] : [];
  });
  const used = await Promise.all(same.map(async (one) => ({ ...one, usedMs: (await stat(one.path)).mtimeMs })));
  used.sort((one, other) => other.usedMs - one.usedMs);
  for (const { path, key } of used.slice(keptOfEach)) {
    await forget(`${repository}:${key}`);
    await rm(path, { force: true });
  }
}
