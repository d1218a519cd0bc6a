import { TerminalError } from '@drydock/core';
import type { GitRepository } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { runGit } from './run-git.ts';

/** A commit. Names, addresses and messages are what anybody may write: data, never an identity. */
export interface LogEntry {
  readonly sha: string;
  readonly parents: readonly string[];
  readonly authorName: string;
  readonly authorEmail: string;
  /** Milliseconds since the epoch, as the author's machine had it. */
  readonly authoredAtMs: number;
  readonly subject: string;
  /** The whole message. */
  readonly message: string;
}

/** Which commits to list. */
export interface ReadLog {
  readonly repo: GitRepository;
  /** A full commit id or full ref name. */
  readonly head: string;
  /** Leaves out what can be reached from here: full commit ids or full ref names. */
  readonly exclude?: readonly string[];
  /** Only commits that changed these, taken literally; renames are not followed. Default: all. */
  readonly paths?: readonly string[];
  readonly maxCount: number;
  readonly maxOutputBytes?: number;
  readonly timeoutMs?: number;
}

const fields = ['%H', '%P', '%an', '%ae', '%at', '%s', '%B'] as const;

/** Commits, newest first. Throws `git.object_missing`, `git.output_too_large`, `git.failed`. */
export async function readLog(input: ReadLog, signal: AbortSignal): Promise<LogEntry[]> {
  const { repo, head, exclude = [], paths = [], maxCount } = input;
  const { maxOutputBytes = 16 * 2 ** 20, timeoutMs = 60_000 } = input;
  const args = [
    ...['log', '-z', `--format=tformat:${fields.join('%x00')}`, '--encoding=UTF-8', `--max-count=${maxCount}`],
    ...[
      '--no-color',
      '--no-decorate',
      '--no-notes',
      '--no-mailmap',
      '--no-show-signature',
      '--no-follow',
      '--no-patch',
    ],
    ...['--end-of-options', checkRevision(head), ...exclude.map((revision) => `^${checkRevision(revision)}`)],
    ...['--', ...paths],
  ];
  const { stdout } = await runGit({ repo, args, signal, timeoutMs, maxOutputBytes });
  const values = stdout.toString('utf8').split('\0');
  const entries: LogEntry[] = [];
  for (let index = 0; index + fields.length < values.length; index += fields.length) {
    entries.push(toEntry(values.slice(index, index + fields.length)));
  }
  return entries;
}

function toEntry(values: readonly string[]): LogEntry {
  const [sha, parents, authorName, authorEmail, authoredAt, subject, message] = values;
  if (sha === undefined || parents === undefined || authorName === undefined || authorEmail === undefined) broken();
  if (subject === undefined || message === undefined) broken();
  return {
    sha,
    parents: parents.split(' ').filter(Boolean),
    authorName,
    authorEmail,
    authoredAtMs: Number(authoredAt) * 1000,
    subject,
    message,
  };
}

function broken(): never {
  throw new TerminalError('git.failed', 'git listed commits in a way that was not asked for');
}
