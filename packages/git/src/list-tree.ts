import { TerminalError } from '@drydock/core';
import type { GitRepository } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { runGit } from './run-git.ts';

/** One entry of a tree. */
export interface TreeEntry {
  /** Octal: `100644`, `100755`, `120000` (symlink), `160000` (submodule), `040000` (folder). */
  readonly mode: string;
  readonly type: 'blob' | 'tree' | 'commit';
  readonly oid: string;
  /** Null for what is no blob, and when sizes were not asked for. */
  readonly bytes: number | null;
  /** From the root of the repository. */
  readonly path: string;
  /** False: the path is no UTF-8 and stands here with replacement characters. */
  readonly pathIsValid: boolean;
}

/** Which part of a tree to list, and how. */
export interface ListTree {
  readonly repo: GitRepository;
  /** A full commit id or full ref name. */
  readonly revision: string;
  /** Files and folders, taken literally, a folder with all that is in it; default: all. */
  readonly paths?: readonly string[];
  /** Reads every blob's header; in a partial clone all blobs must be there. Default: no sizes. */
  readonly withSizes?: boolean;
  readonly maxOutputBytes?: number;
  readonly timeoutMs?: number;
}

const line = /^(\d{6}) (blob|tree|commit) ([0-9a-f]{40}|[0-9a-f]{64})(?: +(-|\d+))?$/;
const tab = 9;
const nul = 0;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Every file of a commit, without its folders. Throws `git.object_missing`, `git.output_too_large`, `git.failed`. */
export async function listTree(input: ListTree, signal: AbortSignal): Promise<TreeEntry[]> {
  const { repo, revision, paths = [], withSizes = false, maxOutputBytes = 256 * 2 ** 20, timeoutMs = 120_000 } = input;
  const args = ['ls-tree', '-r', '-z', '--full-tree', ...(withSizes ? ['-l'] : []), checkRevision(revision)];
  const { stdout } = await runGit({ repo, args: [...args, '--', ...paths], signal, timeoutMs, maxOutputBytes });
  const entries: TreeEntry[] = [];
  for (let start = 0; start < stdout.length;) {
    const end = stdout.indexOf(nul, start);
    entries.push(parseEntry(stdout.subarray(start, end < 0 ? stdout.length : end)));
    start = end < 0 ? stdout.length : end + 1;
  }
  return entries;
}

function parseEntry(bytes: Buffer): TreeEntry {
  const split = bytes.indexOf(tab);
  const [, mode, type, oid, size = '-'] = line.exec(bytes.toString('latin1', 0, split)) ?? [];
  if (mode === undefined || oid === undefined || (type !== 'blob' && type !== 'tree' && type !== 'commit')) {
    throw new TerminalError('git.failed', 'git listed a tree in a way that is not its own');
  }
  const path = bytes.subarray(split + 1);
  return { mode, type, oid, bytes: size === '-' ? null : Number(size), ...decode(path) };
}

function decode(path: Buffer): Pick<TreeEntry, 'path' | 'pathIsValid'> {
  try {
    return { path: strictUtf8.decode(path), pathIsValid: true };
  } catch {
    return { path: path.toString('utf8'), pathIsValid: false };
  }
}
