import { open, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Secret } from '@drydock/core';

const form = /^[0-9a-f]{64}$/;

/**
 * A secret of this user, the same at every call: it marks untrusted text in prompts, and with the same marks the same
 * question is the same bytes. Null for `cacheDir`, or a folder that cannot be used: one for this review alone.
 */
export async function localSecret(cacheDir: string | null, randomBytes: (size: number) => Buffer): Promise<Secret> {
  const fresh = randomBytes(32).toString('hex');
  if (cacheDir === null) return new Secret(fresh);
  const file = join(cacheDir, 'prompt-key');
  try {
    await mkdir(cacheDir, { recursive: true, mode: 0o700 });
    return new Secret((await readKey(file)) ?? (await writeKey(file, fresh)));
  } catch {
    return new Secret(fresh); // what is asked again will be paid for again, no more
  }
}

async function readKey(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return form.test(text) ? text : null;
}

/** Whole or not at all; of two at once the later one stays, which both find the next time. */
async function writeKey(file: string, key: string): Promise<string> {
  const draft = `${file}.${randomUUID()}`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    await handle.writeFile(key);
    await handle.close();
    await rename(draft, file);
    return key;
  } finally {
    await rm(draft, { force: true });
  }
}
