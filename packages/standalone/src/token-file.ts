import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { ConfigError, Secret } from '@drydock/core';
import type { ControlToken } from '@drydock/server';

/**
 * Makes an admin's token of the control API for this process, and keeps it in a file that only its user can read: what
 * is printed ends in logs. Throws `ConfigError` when it cannot be written.
 */
export async function writeTokenFile(
  file: string,
  makeBytes = randomBytes,
): Promise<{ readonly file: string; readonly token: ControlToken }> {
  const text = makeBytes(32).toString('hex');
  try {
    await rm(file, { force: true });
    // Fails if it is there: a link that somebody else put in its place is not followed.
    await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new ConfigError(`The file ${file} for the token of the control API cannot be written`, { cause });
  }
  return { file, token: { name: 'dev', role: 'admin', token: new Secret(text) } };
}
