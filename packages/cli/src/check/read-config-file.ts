import { constants, open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { ConfigKind } from '@drydock/policy';
import type { CliPorts } from '../cli-ports.ts';

/** The one name by which a repository's wishes are read. */
export const repositoryFileName = '.drydock.yaml';

/** One byte more than is ever read as settings, so that what is too large is seen to be. */
const maxBytes = 64 * 1024 + 1;

/** The beginning of a file, as far as anybody reads it; or why there is none, in words. `-` is standard input. */
export async function readConfigFile(
  file: string,
  { cwd, stdin }: Pick<CliPorts, 'cwd' | 'stdin'>,
): Promise<{ readonly kind: 'read'; readonly text: string } | { readonly kind: 'unreadable'; readonly why: string }> {
  try {
    const bytes = file === '-' ? await readStream(stdin()) : await readStart(resolve(cwd, file));
    return { kind: 'read', text: bytes.toString('utf8').replace(/^\uFEFF/, '') };
  } catch (error) {
    return { kind: 'unreadable', why: whyUnreadable(error) };
  }
}

/** Which settings a file holds, by its name. */
export function kindByName(file: string): ConfigKind {
  return [repositoryFileName, '.drydock.yml'].includes(basename(file)) ? 'repository' : 'policy';
}

/**
 * Without waiting, as a pipe would have us do, and of a file only: others may never end, or never begin. In a repository
 * a link may have been put by a stranger, to show what stands elsewhere on this machine; a review does not follow it.
 */
async function readStart(file: string): Promise<Buffer> {
  const follow = kindByName(file) === 'repository' ? constants.O_NOFOLLOW : 0;
  await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | follow);
  const found = await handle.stat();
  if (found.isDirectory()) throw new Error('it is a folder');
  if (!found.isFile()) throw new Error('it is no file; - reads standard input');
  const buffer = Buffer.alloc(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const { bytesRead } = await handle.read(buffer, length, maxBytes - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function readStream(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    chunks.push(bytes);
    length += bytes.length;
    if (length >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reasons = new Map([
    ['ENOENT', 'there is no such file'],
    ['ENOTDIR', 'there is no such file'],
    ['EACCES', 'permission denied'],
    ['ELOOP', 'it is a symbolic link, which a review does not follow'],
  ]);
  return reasons.get(code) ?? (code === '' && error instanceof Error ? error.message : code);
}
