import { TerminalError } from '@drydock/core';
import type { GitRepository } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { runGit } from './run-git.ts';

/** Who a run of lines comes from. Names and summaries are what anybody may write: data, never an identity. */
export interface BlameRange {
  readonly sha: string;
  /** 1-based, in the file as asked for. */
  readonly startLine: number;
  readonly lineCount: number;
  /** 1-based, in that commit's version of the file. */
  readonly originalStartLine: number;
  readonly authorName: string;
  /** Milliseconds since the epoch, as the author's machine had it. */
  readonly authoredAtMs: number;
  readonly summary: string;
}

/** Which lines to ask about. */
export interface ReadBlame {
  readonly repo: GitRepository;
  /** A full commit id or full ref name. */
  readonly revision: string;
  readonly path: string;
  /** 1-based, inclusive; lines past the end are left out. Default: all. */
  readonly lines?: { readonly start: number; readonly end: number };
  /** Into the file's earlier names, which needs blobs of whatever was deleted where it appears. Default: yes. */
  readonly followRenames?: boolean;
  readonly maxOutputBytes?: number;
  readonly timeoutMs?: number;
}

type Commit = Pick<BlameRange, 'authorName' | 'authoredAtMs' | 'summary'>;

const group = /^([0-9a-f]{40}|[0-9a-f]{64}) (\d+) (\d+) (\d+)$/;

/** Runs of lines in their order. Throws `git.object_missing` for a path that is not there, or blobs never fetched. */
export async function readBlame(input: ReadBlame, signal: AbortSignal): Promise<BlameRange[]> {
  const {
    repo,
    revision,
    path,
    lines,
    followRenames = true,
    maxOutputBytes = 64 * 2 ** 20,
    timeoutMs = 60_000,
  } = input;
  const args = [
    // An empty name takes back the lists that a repository's settings may name.
    ...['blame', '--incremental', '--encoding=UTF-8', '--no-progress', '--no-textconv', '--ignore-revs-file='],
    ...(followRenames ? [] : ['--no-follow']),
    ...(lines === undefined ? [] : ['-L', `${lines.start},${lines.end}`]),
    ...[checkRevision(revision), '--', path],
  ];
  const { stdout } = await runGit({ repo, args, signal, timeoutMs, maxOutputBytes });
  return parseIncremental(stdout.toString('utf8')).sort((left, right) => left.startLine - right.startLine);
}

/** A group names its commit's facts the first time only; `filename` ends every group. */
function parseIncremental(text: string): BlameRange[] {
  const commits = new Map<string, Commit>();
  const ranges: BlameRange[] = [];
  let head: RegExpExecArray | null = null;
  let facts = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (head === null) {
      head = group.exec(line);
      facts = new Map();
      continue;
    }
    const space = line.indexOf(' ');
    const key = space < 0 ? line : line.slice(0, space);
    facts.set(key, space < 0 ? '' : line.slice(space + 1));
    if (key !== 'filename') continue;
    const [, sha = '', original, start, count] = head;
    const commit = commits.get(sha) ?? toCommit(facts);
    commits.set(sha, commit);
    const numbers = { startLine: Number(start), lineCount: Number(count), originalStartLine: Number(original) };
    ranges.push({ sha, ...numbers, ...commit });
    head = null;
  }
  if (head !== null) throw new TerminalError('git.failed', 'git blame ended amid an answer');
  return ranges;
}

function toCommit(facts: ReadonlyMap<string, string>): Commit {
  return {
    authorName: facts.get('author') ?? '',
    authoredAtMs: Number(facts.get('author-time') ?? 0) * 1000,
    summary: facts.get('summary') ?? '',
  };
}
