import type { RepositoryConfig, Sha } from '@drydock/core';
import type { ObjectReader } from '@drydock/git';
import { describeProblem, parseRepositoryConfig } from '@drydock/policy';

const fileName = '.drydock.yaml';
const maxBytes = 64 * 1024;

/** The wishes of a repository. `invalid`: what is wrong, by line and column, for the people whose file it is. */
export type RepositoryWishes =
  { readonly kind: 'valid'; readonly config: RepositoryConfig } | { readonly kind: 'invalid'; readonly detail: string };

/** Reads `.drydock.yaml` at a commit of the target branch. A repository without one wishes nothing. */
export async function readRepositoryConfig(
  reader: ObjectReader,
  revision: Sha,
  signal: AbortSignal,
): Promise<RepositoryWishes> {
  const read = await reader.read({ revision, path: fileName }, { maxBytes, signal });
  if (read.kind === 'missing') return { kind: 'valid', config: { v: 1 } };
  if (read.type !== 'blob') return { kind: 'invalid', detail: `${fileName} is no file` };
  if (read.kind === 'too-large') return { kind: 'invalid', detail: `${fileName} is larger than 64 KiB` };
  const parsed = parseRepositoryConfig(read.content.toString('utf8'));
  if (parsed.kind === 'valid') return parsed;
  const lines = parsed.problems.slice(0, 5).map((problem) => `${fileName}:${describeProblem(problem)}`);
  const more = parsed.problems.length - lines.length;
  const detail = [...lines, ...(more > 0 ? [`and ${String(more)} more`] : [])].join('; ');
  return { kind: 'invalid', detail: detail.length > 500 ? `${detail.slice(0, 499)}…` : detail };
}
