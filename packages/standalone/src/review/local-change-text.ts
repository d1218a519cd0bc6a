/** The words about a local change that a merge request would have brought along. All of it is told without a clock. */
import { basename } from 'node:path';
import type { LogEntry } from '@drydock/git';

const maxTitleCharacters = 200;
const maxDescriptionCharacters = 10_000;

/** How many commits a description tells of. */
export const maxDescribedCommits = 50;

/** The only commit's subject, else the branch made readable. */
export function titleOf(commits: readonly LogEntry[], branch: string | null, otherwise: string): string {
  const [only, ...others] = commits;
  if (only !== undefined && others.length === 0 && only.subject !== '')
    return clip(plain(only.subject), maxTitleCharacters);
  if (branch === null) return otherwise;
  if (branch === 'main' || branch === 'master') return `Changes on ${branch}`;
  const words = branch.replaceAll('/', ': ').replaceAll(/[-_]+/g, ' ').trim();
  return words === '' ? otherwise : clip(words.charAt(0).toUpperCase() + words.slice(1), maxTitleCharacters);
}

/** Subjects and bodies, oldest first, as in a merge request that somebody wrote from them. Commits: newest first. */
export function describeCommits(commits: readonly LogEntry[], total: number): string {
  const [only] = commits;
  if (only !== undefined && total === 1) return clip(bodyOf(only), maxDescriptionCharacters);
  const described = commits.slice(0, maxDescribedCommits).toReversed();
  const left = total - described.length;
  const begin = left > 0 ? [`(${left} earlier ${left === 1 ? 'commit' : 'commits'})`] : [];
  const items = described.map((commit) => {
    const body = bodyOf(commit).replaceAll(/^(?=.)/gm, '  ');
    return body === '' ? `- ${commit.subject}` : `- ${commit.subject}\n\n${body}`;
  });
  return clip([...begin, ...items].join('\n'), maxDescriptionCharacters);
}

function bodyOf({ message }: LogEntry): string {
  const [, ...paragraphs] = message.trim().split(/\n[ \t]*\n/);
  return paragraphs.join('\n\n').trim();
}

function clip(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters).toWellFormed()} …` : text;
}

/** The path that a forge knows a project by, from a remote's URL; null: it names a folder. Never what stands before the path. */
export function pathOfRemote(url: string): string | null {
  const [, withScheme] = /^(?:https?|ssh|git):\/\/[^/]+\/+([^?#]+)/i.exec(url) ?? [];
  const [, scpLike] = /^(?:[^@/:\s]+@)?[^@/:\s]{2,}:(?!\/\/)\/*(.+)$/.exec(url) ?? [];
  const path = (withScheme ?? scpLike ?? '').replace(/\/+$/, '').replace(/\.git$/, '');
  return path === '' ? null : plain(path);
}

/** A folder's name, without the end that bare repositories have. */
export function nameOfFolder(path: string): string {
  return plain(basename(path).replace(/(?<=.)\.git$/, '')) || 'repository';
}

/** Names of this machine and this repository may hold what steers a terminal. */
export function plain(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}

/** `3 commits`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Enough of an id for people. */
export function shortSha(sha: string): string {
  return sha.slice(0, 7);
}
