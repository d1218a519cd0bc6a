import { readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { imageInputs, imageKey, imageNames, inputsOf, type ImageName } from './image-inputs.ts';

const Kept = z.record(z.enum(imageNames), z.array(z.string()));
const keptTrees = 10;

/**
 * What each image is made of, noted in this folder for the next who asks about the same tree: to find it out, every
 * program is bundled, which takes seconds. Whoever calls holds the lock of the folder.
 */
export async function keptInputs(
  root: string,
  folder: string,
): Promise<Readonly<Record<ImageName, readonly string[]>>> {
  const file = join(folder, `inputs-${imageKey(root, '', imageInputs(root))}.json`);
  const known = await readKept(file);
  if (known !== null) return known;
  const found: [ImageName, readonly string[]][] = [];
  for (const name of imageNames) found.push([name, await inputsOf(root, name)]);
  const text = JSON.stringify(Object.fromEntries(found));
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
  await removeOldest(folder);
  return Kept.parse(JSON.parse(text));
}

async function readKept(file: string): Promise<z.infer<typeof Kept> | null> {
  try {
    return Kept.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null; // not there, or nothing that we wrote: found out anew
  }
}

async function removeOldest(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => /^inputs-[0-9a-f]{16}[.]json$/.test(name));
  const written = await Promise.all(
    files.map(async (name) => ({ name, atMs: (await stat(join(folder, name))).mtimeMs })),
  );
  written.sort((one, other) => other.atMs - one.atMs);
  for (const { name } of written.slice(keptTrees)) await rm(join(folder, name), { force: true });
}
