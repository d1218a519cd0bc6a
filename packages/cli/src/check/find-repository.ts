import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runGit } from '@drydock/git';

/** A checkout on this machine. */
export interface FoundRepository {
  readonly root: string;
  /** Null where `.git` is not a folder, as in a further work tree. */
  readonly gitDir: string | null;
}

/** The checkout that a folder is in; null: it is in none. */
export async function findRepository(folder: string): Promise<FoundRepository | null> {
  const dotGit = join(folder, '.git');
  const found = await stat(dotGit).catch(() => null);
  if (found !== null) return { root: folder, gitDir: found.isDirectory() ? dotGit : null };
  const parent = dirname(folder);
  return parent === folder ? null : findRepository(parent);
}

const timeoutMs = 10_000;
const maxOutputBytes = 64 * 1024 * 1024;

/** The files of the newest commit; null: git does not tell. */
export async function listCommitted(
  { gitDir }: FoundRepository,
  searchPath: string,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  if (gitDir === null) return null;
  try {
    const repo = { gitDir, searchPath };
    const { stdout } = await runGit({
      repo,
      args: ['ls-tree', '-r', '-z', '--name-only', 'HEAD'],
      signal,
      timeoutMs,
      maxOutputBytes,
    });
    return stdout.toString('utf8').split('\0').slice(0, -1);
  } catch {
    return null; // It only adds to what is told: what is wrong in the file is found without it.
  }
}
