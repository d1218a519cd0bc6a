import type { FileDiff, Side } from '@drydock/core';
import { ObjectReader, readDiff } from '@drydock/git';
import { ensureRunMirror, type RunMirrorPorts } from '../git/ensure-run-mirror.ts';
import { readRepositoryConfig, type RepositoryWishes } from '../context/read-repository-config.ts';
import type { StoredRun } from './run-store.ts';

/** What a run was about, read from its repository. Dispose of it: git ends. */
export interface RunChange extends AsyncDisposable {
  readonly diff: readonly FileDiff[];
  /** Lines of a file at the head or the merge base, without line feeds; null: not there, or no text. */
  readonly readLines: (side: Side, path: string) => Promise<readonly string[] | null>;
  /** What the target branch's `.drydock.yaml` says. */
  readonly readWishes: () => Promise<RepositoryWishes>;
}

const maxFileBytes = 8 * 1024 * 1024;

/** Opens the repository of a run, and reads its diff. */
export async function openRunChange(ports: RunMirrorPorts, run: StoredRun, signal: AbortSignal): Promise<RunChange> {
  const { baseSha, startSha, headSha } = run.record.context.diffRefs;
  const repo = await ensureRunMirror(ports, run, signal);
  const diff = await readDiff({ repo, baseSha, headSha }, signal);
  const reader = new ObjectReader({ repo });
  return {
    diff,
    async readLines(side, path) {
      const revision = side === 'new' ? headSha : baseSha;
      const read = await reader.read({ revision, path }, { maxBytes: maxFileBytes, signal });
      return read.kind === 'found' && read.type === 'blob' ? linesOf(read.content) : null;
    },
    readWishes: () => readRepositoryConfig(reader, startSha, signal),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** Lines without their line feeds; null for what is no text. */
function linesOf(content: Buffer): readonly string[] | null {
  if (content.includes(0)) return null;
  const lines = content.toString('utf8').split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
