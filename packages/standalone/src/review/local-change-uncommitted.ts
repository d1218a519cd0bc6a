import { copyFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import {
  runUserGit,
  type FoundRepository,
  type RepositoryView,
  type UserGitAnswer,
  type UserGitPlace,
} from '@drydock/git';
import { refuse, type Refused } from './local-change-refusal.ts';
import { plain } from './local-change-text.ts';

/** What is not committed, as a tree in our view. */
export interface Uncommitted {
  readonly kind: 'uncommitted';
  readonly tree: string;
  /** As people say it. */
  readonly name: string;
  readonly title: string;
  /** What else is to be said; empty: nothing. */
  readonly note: string;
}

/** What to take, and from where. */
export interface ReadUncommitted {
  readonly repository: FoundRepository;
  readonly place: UserGitPlace;
  readonly view: RepositoryView;
  /** Temporary, ours: the copy of the index goes here. */
  readonly folder: string;
  readonly what: 'staged' | 'worktree';
}

const shownPaths = 5;

/**
 * Writes what `git commit` would, after `git add --all` for a whole work tree, into our view: with a copy of the index
 * and our object database. Filters and line ends are the user's own, as git would apply them.
 */
export async function readUncommitted(input: ReadUncommitted, signal: AbortSignal): Promise<Uncommitted | Refused> {
  const { repository, view, folder, what } = input;
  if (repository.workTree === null) {
    return refuse(
      `There is no work tree here, so nothing is ${what === 'staged' ? 'staged' : 'uncommitted'}.`,
      nameRange,
    );
  }
  const indexFile = join(folder, 'index');
  await copyIndex(repository.indexFile, indexFile);
  const variables = {
    GIT_INDEX_FILE: indexFile,
    GIT_OBJECT_DIRECTORY: join(view.repository.gitDir, 'objects'), // it names the user's as an alternate
    GIT_ALTERNATE_OBJECT_DIRECTORIES: '',
  };
  const settings = [
    // Git LFS keeps what its filter reads; not in the user's repository.
    ['lfs.storage', join(folder, 'lfs')],
    // Whatever needs no filter goes into one pack: ten thousand new files cost a seventh of the time.
    ['core.bigFileThreshold', '1'],
  ] as const;
  const run = (args: readonly string[]): Promise<UserGitAnswer> =>
    runUserGit({ ...limits, place: input.place, args, variables, settings }, signal);

  const unmerged = await run(['ls-files', '--unmerged', '-z']);
  if (unmerged.exitCode !== 0) return unreadable(unmerged);
  if (unmerged.stdout.length > 0) return refusalOfUnmerged(unmerged.stdout);
  const added = what === 'worktree' ? await run(['add', '--all', '--ignore-errors']) : null;
  if (added !== null && added.exitCode > 1) return unreadable(added);
  const written = await run(['write-tree', '--missing-ok']);
  if (written.exitCode !== 0) return unreadable(written);
  return {
    kind: 'uncommitted',
    tree: written.stdout.toString('latin1').trim(),
    ...(what === 'staged'
      ? { name: 'staged changes', title: 'Staged changes' }
      : { name: 'uncommitted changes', title: 'Uncommitted changes' }),
    note: added?.exitCode === 1 ? `; left out what git could not add: ${added.said}` : '',
  };
}

const nameRange = 'name a range with --base and --head.';
const limits = { timeoutMs: 600_000, maxOutputBytes: 64 * 2 ** 20 };

/**
 * A file changed within the same tick as the index was written is looked at again only while the index is not younger
 * than the file, so the copy must be no younger than the original.
 */
async function copyIndex(from: string, to: string): Promise<void> {
  const original = await stat(from).catch(() => null);
  if (original === null) return; // nothing was ever added
  await copyFile(from, to);
  const seconds = Math.floor(original.mtimeMs / 1000);
  await utimes(to, seconds, seconds);
}

function refusalOfUnmerged(list: Buffer): Refused {
  const entries = list.toString('utf8').split('\0').filter(Boolean);
  const paths = [...new Set(entries.map((entry) => plain(entry.slice(entry.indexOf('\t') + 1))))];
  const more = paths.length > shownPaths ? ` and ${paths.length - shownPaths} more` : '';
  const why = `A merge is not finished: ${paths.slice(0, shownPaths).join(', ')}${more}.`;
  return refuse(why, 'resolve the conflicts and `git add` the files.');
}

function unreadable({ said }: UserGitAnswer): Refused {
  return refuse(`Git could not read what is not committed: ${said}`, 'see whether `git status` works here.');
}
