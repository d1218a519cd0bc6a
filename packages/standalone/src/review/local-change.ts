/**
 * Finds what is to be reviewed in a repository of this machine. The user's own git is asked for what only it can tell
 * (which repository, which branch follows which, what a revision means, what would be committed); everything else is
 * read through a view on the same objects, where no settings, hooks, replacements or grafts apply. The repository, its
 * index and its work tree are only read.
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TerminalError } from '@drydock/core';
import { findRepository, type FoundRepository, makeRepositoryView } from '@drydock/git';
import { readRange } from './local-change-range.ts';
import type { Refused } from './local-change-refusal.ts';
import { plain } from './local-change-text.ts';
import type { ChangeWanted, LocalChange } from './local-change-wanted.ts';

export type { ChangeWanted, LocalChange };

/** What was found. `why` and `hint` are sentences for people. */
export type ChangeFound =
  | { readonly kind: 'found'; readonly change: LocalChange }
  | { readonly kind: 'nothing'; readonly why: string }
  | Refused;

/** What finding a change needs. */
export interface LocalChangePorts {
  /** Temporary folders are made here. */
  readonly tempDir: string;
  /**
   * The user's variables, for git's settings (`HOME`) and for what git itself sets in hooks (`GIT_DIR`,
   * `GIT_INDEX_FILE`, quarantined objects); honoured as git does. Default: the home folder alone.
   */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Throws `config.invalid` without a git binary, `git.timeout`, `aborted`; what git refuses is a refusal with a reason. */
export async function findLocalChange(
  wanted: ChangeWanted,
  ports: LocalChangePorts,
  signal: AbortSignal,
): Promise<ChangeFound> {
  const contradiction = contradictionOf(wanted);
  if (contradiction !== null) return { kind: 'refused', why: contradiction, hint: 'drop one of them.' };
  try {
    return await find(wanted, ports, signal);
  } catch (error) {
    if (isSystemError(error)) return { kind: 'refused', why: plain(error.message), hint: 'see who may read it.' };
    if (!(error instanceof TerminalError) || !error.code.startsWith('git.')) throw error;
    const hint =
      'look with `git fsck` whether the repository is whole, and whether plain `git log` and `git diff` work.';
    return { kind: 'refused', why: `The repository could not be read: ${error.message}`, hint };
  }
}

/** A file or folder that could not be read or written; its message names it. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}

function contradictionOf({ base, head, work, isRoot }: ChangeWanted): string | null {
  if (isRoot && base !== null) return 'A base and --root contradict each other.';
  if (work !== 'none' && head !== null) return `A head and --${work} contradict each other.`;
  return null;
}

async function find(wanted: ChangeWanted, ports: LocalChangePorts, signal: AbortSignal): Promise<ChangeFound> {
  const cwd = await realpath(wanted.cwd).catch(() => null);
  if (cwd === null)
    return { kind: 'refused', why: `There is no folder ${plain(wanted.cwd)}.`, hint: 'go to a repository.' };
  const environment = ports.environment ?? { HOME: homedir() };
  const { searchPath } = wanted;
  const found = await findRepository({ cwd, searchPath, environment }, signal);
  if (found.kind !== 'found') return refusalOf(found, cwd);
  const { repository } = found;

  await using folders = new AsyncDisposableStack();
  const folder = await mkdtemp(join(ports.tempDir, 'drydock-change-'));
  folders.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const gitDir = join(folder, 'view.git');
  const view = await makeRepositoryView({
    ...{ gitDir, searchPath, objectFormat: repository.objectFormat },
    objectDirs: [repository.objectDir, ...quarantined(environment)],
    shallowFile: repository.isShallow ? repository.shallowFile : null,
  });
  const place = {
    cwd: repository.workTree ?? repository.gitDir,
    searchPath,
    environment: inside(environment, repository),
  };
  const range = await readRange({ wanted, repository, place, view, folder }, signal);
  if (range.kind !== 'found') return range;
  const held = folders.move();
  const change: LocalChange = {
    ...range.range,
    repository: view.repository,
    rootDir: repository.workTree ?? repository.gitDir,
    scope: repository.commonDir,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
  return { kind: 'found', change };
}

/** Git's own answers are relative to where it was asked; from here on they are absolute. */
function inside(
  environment: Readonly<Record<string, string | undefined>>,
  { gitDir, commonDir, workTree, indexFile, objectDir }: FoundRepository,
): Record<string, string | undefined> {
  return {
    ...environment,
    GIT_DIR: gitDir,
    GIT_COMMON_DIR: commonDir === gitDir ? undefined : commonDir,
    GIT_WORK_TREE: workTree ?? undefined,
    GIT_INDEX_FILE: indexFile,
    GIT_OBJECT_DIRECTORY: objectDir,
  };
}

/** Where a server keeps what is pushed until its hook agrees. */
function quarantined(environment: Readonly<Record<string, string | undefined>>): string[] {
  const dirs = environment['GIT_ALTERNATE_OBJECT_DIRECTORIES'] ?? '';
  return dirs.includes('"') ? [] : dirs.split(':').filter((dir) => dir.startsWith('/'));
}

type NotFound = Exclude<Awaited<ReturnType<typeof findRepository>>, { kind: 'found' }>;

function refusalOf(found: NotFound, cwd: string): Refused {
  switch (found.kind) {
    case 'none':
      return {
        kind: 'refused',
        why: `${plain(cwd)} is in no git repository.`,
        hint: 'go to a checkout, or begin one with `git init`.',
      };
    case 'not-owned':
      return {
        kind: 'refused',
        why: `Git does not trust this repository, for its folder belongs to another user: ${found.said}`,
        hint: 'if you trust it: `git config --global --add safe.directory` with its folder.',
      };
    case 'broken':
      return {
        kind: 'refused',
        why: `Git could not read the repository of ${plain(cwd)}: ${found.said}`,
        hint: 'see whether `git status` works here.',
      };
  }
}
