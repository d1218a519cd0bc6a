import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ObjectFormat } from './repository-view.ts';
import { runUserGit, type UserGitPlace } from './user-git.ts';

/** A repository as git finds it from a folder. All paths are absolute. */
export interface FoundRepository {
  readonly gitDir: string;
  /** The same for all work trees of a repository. */
  readonly commonDir: string;
  readonly objectDir: string;
  readonly indexFile: string;
  readonly shallowFile: string;
  readonly isBare: boolean;
  readonly isShallow: boolean;
  readonly objectFormat: ObjectFormat;
  /** Null: bare, or asked from within the `.git` folder. */
  readonly workTree: string | null;
  /** Null: no commit yet. */
  readonly headSha: string | null;
  /** The full name of the branch; null: none is checked out, or it has no commit yet. */
  readonly headRef: string | null;
}

/** What git said of a folder. */
export type FindRepository =
  | { readonly kind: 'found'; readonly repository: FoundRepository }
  | { readonly kind: 'none' }
  /** Git does not trust the folder of another user. */
  | { readonly kind: 'not-owned'; readonly said: string }
  | { readonly kind: 'broken'; readonly said: string };

/** Git repeats an option that it does not know, which parts answers that may hold line feeds. */
const separator = '--drydock-next';
const query = [
  ...['rev-parse', '--path-format=absolute', '--git-dir', separator, '--git-common-dir', separator],
  ...['--git-path', 'objects', separator, '--git-path', 'index', separator, '--git-path', 'shallow', separator],
  ...['--is-bare-repository', '--is-shallow-repository', '--show-object-format', '--is-inside-work-tree', separator],
  ...['--show-cdup', separator, 'HEAD', '--symbolic-full-name', 'HEAD'],
];

const sha = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Finds the repository that a folder belongs to, in one call of git, which checks its owner. Throws as `runUserGit`. */
export async function findRepository(place: UserGitPlace, signal: AbortSignal): Promise<FindRepository> {
  const call = { place, args: query, timeoutMs: 30_000, maxOutputBytes: 1_000_000 };
  const { stdout, said } = await runUserGit(call, signal);
  const parts = stdout.toString('utf8').split(`${separator}\n`);
  const [gitDir, commonDir, objectDir, indexFile, shallowFile, facts, up, head] = parts.map(withoutLineEnd);
  if (gitDir === undefined || commonDir === undefined || objectDir === undefined) return refusal(said);
  if (indexFile === undefined || shallowFile === undefined || facts === undefined) return refusal(said);
  if (up === undefined || head === undefined) return refusal(said);
  const [isBare, isShallow, objectFormat, isInside] = facts.split('\n');
  if (objectFormat !== 'sha1' && objectFormat !== 'sha256') return refusal(said);
  const [headSha = '', headRef = ''] = head.split('\n');
  const hasWorkTree = isInside === 'true' || up.startsWith('/');
  return {
    kind: 'found',
    repository: {
      ...{ gitDir, commonDir, objectDir, indexFile, shallowFile, objectFormat },
      isBare: isBare === 'true',
      isShallow: isShallow === 'true',
      workTree: hasWorkTree ? resolve(await realpath(place.cwd), up) : null,
      headSha: sha.test(headSha) ? headSha : null,
      headRef: sha.test(headSha) && headRef.startsWith('refs/') ? headRef : null,
    },
  };
}

function withoutLineEnd(text: string): string {
  return text.replace(/\n$/, '');
}

function refusal(said: string): FindRepository {
  if (/dubious ownership|unsafe repository/i.test(said)) return { kind: 'not-owned', said };
  if (/not a git repository/i.test(said)) return { kind: 'none' };
  return { kind: 'broken', said };
}
