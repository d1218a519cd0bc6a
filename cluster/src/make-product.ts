import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How one file or folder of the cache comes to be. */
export interface Recipe {
  /** Leaves it under a name that nobody uses. */
  readonly make: (unfinished: string) => Promise<void>;
  /** Throws if what was made does not work. */
  readonly check: (unfinished: string) => Promise<void>;
}

/** One thing in the cache. */
export interface Product {
  readonly name: string;
  readonly path: string;
  readonly expectedSeconds: number;
  make(go: string, unfinished: string, signal: AbortSignal): Promise<void>;
  check(unfinished: string, signal: AbortSignal): Promise<void>;
}

/**
 * Makes something in the cache so that it is there whole, checked and at once, or not at all: killed anywhere, it
 * leaves rests under other names, which the next one removes. For one maker at a time.
 */
export async function makeProduct(path: string, { make, check }: Recipe): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeRests(path);
  const unfinished = `${path}.unfinished-${process.pid}`;
  await make(unfinished);
  await check(unfinished);
  await flush(unfinished);
  await rm(path, { recursive: true, force: true });
  await rename(unfinished, path);
  await writeFile(stampOf(path), sizeOf(path));
}

/** Whether it was made to its end, and is as large as it was then: a disk that was full or cut off leaves less. */
export function isMade(path: string): boolean {
  try {
    return readFileSync(stampOf(path), 'utf8') === sizeOf(path);
  } catch {
    return false;
  }
}

const stampOf = (path: string) => `${path}.made`;

function sizeOf(path: string): string {
  const stats = statSync(path);
  return stats.isDirectory() ? `${readdirSync(path).length} entries\n` : `${stats.size} bytes\n`;
}

async function removeRests(path: string): Promise<void> {
  await rm(stampOf(path), { force: true });
  if (!existsSync(dirname(path))) return;
  const rests = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.unfinished-`));
  for (const name of rests) await rm(join(dirname(path), name), { recursive: true, force: true });
}

async function flush(path: string): Promise<void> {
  if (statSync(path).isDirectory()) return;
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
