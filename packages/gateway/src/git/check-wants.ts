import { TerminalError, type DiffRefs } from '@drydock/core';
import { runGit, type GitRepository } from '@drydock/git';

/** What a run may be given: its repository and the three commits that everything must be reachable from. */
export interface Grounds {
  readonly repo: GitRepository;
  readonly refs: DiffRefs;
}

const timeoutMs = 60_000;

/**
 * Lets a fetch through only if every commit it wants can be reached from the run's base, start or head. Trees and blobs
 * are given to whoever knows their id, tags to nobody. Throws `TerminalError` (`git.want_refused`).
 */
export async function checkWants(grounds: Grounds, wants: readonly string[], signal: AbortSignal): Promise<void> {
  const known = new Set(Object.values(grounds.refs));
  const others = wants.filter((id) => !known.has(id));
  if (others.length === 0) return;
  const commits = await wantedCommits(grounds.repo, others, signal);
  if (commits.length > 0 && !(await areReachable(grounds, commits, signal))) throw refused();
}

/** The commits among the wanted objects. */
async function wantedCommits(repo: GitRepository, ids: readonly string[], signal: AbortSignal): Promise<string[]> {
  const { stdout } = await runGit({
    repo,
    args: ['cat-file', '--batch-check=%(objecttype) %(objectname)', '--buffer'],
    input: `${ids.join('\n')}\n`,
    signal,
    timeoutMs,
    maxOutputBytes: ids.length * 100,
  });
  const lines = stdout.toString('latin1').trimEnd().split('\n');
  if (lines.length !== ids.length) throw refused();
  return lines.flatMap((line) => {
    const [type, id] = line.split(' ');
    if (type === 'commit' && id !== undefined) return [id];
    if (type === 'tree' || type === 'blob') return [];
    throw refused(); // `<id> missing`, and annotated tags
  });
}

/**
 * One walk for all: git lists the first commit that no ground reaches. Skewed dates may make it list one that is
 * reachable, never keep silent about one that is not.
 */
async function areReachable(
  { repo, refs }: Grounds,
  commits: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const grounds = [...new Set(Object.values(refs))].map((id) => `^${id}`);
  const { stdout } = await runGit({
    repo,
    args: ['rev-list', '--max-count=1', '--stdin'],
    input: `${[...commits, ...grounds].join('\n')}\n`,
    signal,
    timeoutMs,
    maxOutputBytes: 1000,
  });
  return stdout.length === 0;
}

function refused(): TerminalError {
  // The same words for what is absent and what is not theirs: an answer tells nothing of the repository.
  return new TerminalError('git.want_refused', 'not among the objects of this run');
}
