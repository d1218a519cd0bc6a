import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type Secret } from '@drydock/core';

/** A git configuration file for `GitNetwork.configFile`, gone when disposed of. */
export interface PrivateConfig extends AsyncDisposable {
  readonly path: string;
}

/**
 * Writes a request header for git to send to one host, and to no other, into a file that only this user can read.
 * It is in no argument, no address and no variable.
 */
export async function writePrivateConfig(input: {
  readonly directory: string;
  /** The address, or how it begins, that gets the header. */
  readonly url: string;
  /** The whole header: its name, a colon, its value. */
  readonly header: Secret;
}): Promise<PrivateConfig> {
  const path = join(input.directory, `git-${randomUUID()}.config`);
  const content = `[http ${quote(input.url)}]\n\textraHeader = ${quote(input.header.reveal())}\n`;
  await writeFile(path, content, { mode: 0o600, flag: 'wx' });
  return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

function quote(text: string): string {
  // A line feed would begin another setting, or another header.
  if (/[\0\r\n]/.test(text)) throw new ConfigError('a credential or address for git holds a line end');
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
