import type { Forge } from '@drydock/forge';
import type { GitRepository } from '@drydock/git';
import { requireForge } from '../require-forge.ts';
import type { StoredRun } from '../runs/run-store.ts';
import type { Mirrors } from './mirrors.ts';

/** Where runs find their repositories. */
export interface RunMirrorPorts {
  readonly forges: ReadonlyMap<string, Forge>;
  readonly mirrors: Mirrors;
}

/** The mirror of a run's project, with the run's commits; filled anew where this gateway has never seen it. */
export async function ensureRunMirror(
  { forges, mirrors }: RunMirrorPorts,
  { record }: StoredRun,
  signal: AbortSignal,
): Promise<GitRepository> {
  const { subject, diffRefs, mergeRequest } = record.context;
  const forge = requireForge(forges, subject.forge);
  return mirrors.ensure(
    {
      subject,
      refs: diffRefs,
      targetBranch: mergeRequest.targetBranch,
      remote: () => forge.gitRemote(record.projectPath, subject.iid),
    },
    signal,
  );
}
