import { randomUUID } from 'node:crypto';
import { access, constants, open, realpath, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigError } from '@drydock/core';
import { fillsTerminal, pagerCommand, showInPager } from './pager.ts';

/** Where a report goes. */
export interface ReportTarget {
  /** Null: to `stdout`. */
  readonly file: string | null;
  readonly stdout: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a long text may be shown page by page. Only ever done on a terminal. */
  readonly mayPage: boolean;
}

/**
 * Writes a report whole. A file is replaced at once or not at all; `ConfigError` names one that cannot be written. Ends
 * when a pager ends; a reader that leaves early is no error.
 */
export async function writeReport(text: string, { file, stdout, environment, mayPage }: ReportTarget): Promise<void> {
  if (file !== null) {
    await replaceFile(file, text);
    return;
  }
  const pager = mayPage && stdout.isTTY && fillsTerminal(text, stdout) ? pagerCommand(environment) : null;
  if (pager !== null && (await showInPager(text, pager, environment))) return;
  await writeAll(stdout, text);
}

/** Before a review is paid for: throws `ConfigError` for a file that could not be written when it is done. */
export async function checkReportFile(file: string): Promise<void> {
  try {
    const target = await targetOf(file);
    await access(target.kind === 'special' ? file : dirname(target.path), constants.W_OK);
  } catch (error) {
    throw new ConfigError(`cannot write the report to ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Removes a report that tells of an earlier review. What is no file, such as a pipe, stays. */
export async function removeReport(file: string): Promise<void> {
  try {
    const target = await targetOf(file);
    if (target.kind === 'file') await rm(target.path, { force: true });
  } catch (error) {
    throw new ConfigError(`cannot remove the old report ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  try {
    const target = await targetOf(file);
    if (target.kind === 'special') await writeFile(file, text);
    else await writeBeside(target.path, text, target.mode);
  } catch (error) {
    throw new ConfigError(`cannot write the report to ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

type Target =
  { readonly kind: 'file'; readonly path: string; readonly mode: number | null } | { readonly kind: 'special' };

/** A link keeps pointing where it does; `/dev/stdout`, whatever it is, or a pipe is written to, never replaced. */
async function targetOf(file: string): Promise<Target> {
  try {
    const found = await stat(file);
    if (!found.isFile() || file.startsWith('/dev/')) return { kind: 'special' };
    return { kind: 'file', path: await realpath(file), mode: found.mode & 0o777 };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { kind: 'file', path: file, mode: null };
    throw error;
  }
}

async function writeBeside(path: string, text: string, mode: number | null): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);
  const handle = await open(temporary, 'wx', 0o666);
  try {
    try {
      await handle.writeFile(text);
      if (mode !== null) await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** Waits until the stream has taken it, since a process that exits with a full pipe loses the rest. */
async function writeAll(stdout: NodeJS.WriteStream, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stdout.write(text, (error) => {
      if (error === undefined || error === null || codeOf(error) === 'EPIPE') resolve();
      else reject(error);
    });
  });
}

const reasons = new Map([
  ['ENOENT', 'there is no such folder'],
  ['ENOTDIR', 'a part of the path is no folder'],
  ['EISDIR', 'it is a folder'],
  ['EACCES', 'you may not write there'],
  ['EPERM', 'you may not write there'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
]);

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return reasons.get(code) ?? (code === '' ? String(error) : code);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
