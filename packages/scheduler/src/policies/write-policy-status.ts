/**
 * Says in the status of each policy object whether it is applied, what goes before it, and what it matches. One scheduler
 * does: the leader. It writes only what differs from what stands there, conditions at once, counts once a minute.
 */
import { setImmediate } from 'node:timers/promises';
import { DrydockError, unreachable, type Clock, type Log } from '@drydock/core';
import type { KubeClient, Watched } from '@drydock/kube';
import {
  findOverlaps,
  policyStatus,
  type PolicyCondition,
  type PolicyCounts,
  type PolicyStatus,
  type ReadPolicy,
} from '@drydock/policy';
import type { TaskQueue } from '@drydock/queue';
import { policyEvent, policyEvents } from './kube-policy-events.ts';
import { reviewPolicies, type KnownPolicy } from './kube-policies.ts';
import type { PolicySource } from './policy-source.ts';
import { knownProjects } from './shares-of-policies.ts';

/** What writing takes. */
export interface PolicyStatusPorts {
  readonly policies: Watched<KnownPolicy>;
  readonly source: PolicySource;
  readonly queue: Pick<TaskQueue, 'projects'>;
  readonly client: Pick<KubeClient, 'patch' | 'create'>;
  readonly namespace: string;
  /** Whether this scheduler is the one that writes. */
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** How often is looked, when no policy changed. */
const lookMs = 15_000;
/** Changes that come together are written together. */
const settleMs = 500;
const countsMs = 60_000;
const callMs = 10_000;
const noCounts: PolicyCounts = { matchedProjects: 0, waiting: 0, running: 0 };

/** Keeps statuses right until the signal is aborted. Rejects only with a bug. */
export async function writePolicyStatuses(ports: PolicyStatusPorts): Promise<void> {
  const { policies, isLeader, clock, log, signal } = ports;
  const countedAtMs = new Map<string, number>();
  const overlapsOf = rememberedOverlaps();
  let wake = new AbortController();
  const unsubscribe = policies.onChange(() => wake.abort());
  try {
    while (!signal.aborted) {
      wake = new AbortController();
      try {
        if (isLeader() && policies.isReady) await writeAll(ports, overlapsOf, countedAtMs);
      } catch (err) {
        if (!(err instanceof DrydockError)) throw err;
        if (err.code !== 'aborted') log.warn({ code: err.code, err }, 'the status of policies is not written for now');
        await clock.sleep(lookMs, signal);
      }
      await clock.sleep(lookMs, AbortSignal.any([signal, wake.signal]));
      await clock.sleep(settleMs, signal);
    }
  } finally {
    unsubscribe();
  }
}

type Overlaps = Awaited<ReturnType<typeof findOverlaps>>;

/** Looks for overlaps only when a policy has changed, and lets the process do its other work meanwhile. */
function rememberedOverlaps(): (policies: readonly ReadPolicy[]) => Promise<Overlaps> {
  let last: { readonly versions: string; readonly overlaps: Overlaps } | null = null;
  return async (policies) => {
    const versions = policies.map(({ uid, generation }) => `${uid} ${String(generation)}`).join();
    if (last?.versions !== versions) last = { versions, overlaps: await findOverlaps(policies, () => setImmediate()) };
    return last.overlaps;
  };
}

async function writeAll(
  ports: PolicyStatusPorts,
  overlapsOf: (policies: readonly ReadPolicy[]) => Promise<Overlaps>,
  countedAtMs: Map<string, number>,
): Promise<void> {
  const { policies, clock } = ports;
  const known = policies.list();
  if (known.length === 0) return;
  const overlaps = await overlapsOf(known.map(({ policy }) => policy));
  const counts = await countsOf(ports);
  for (const { policy, status } of known) {
    const wanted = policyStatus(
      policy,
      overlaps.get(policy.name) ?? [],
      counts.get(policy.name) ?? noCounts,
      status,
      clock.nowMs(),
    );
    const isTold = JSON.stringify(conditionsOf(wanted)) === JSON.stringify(conditionsOf(status));
    const isCounted = clock.monotonicMs() - (countedAtMs.get(policy.uid) ?? -Infinity) < countsMs;
    if (isTold && (isCounted || hasSameCounts(wanted, status))) continue;
    countedAtMs.set(policy.uid, clock.monotonicMs());
    await write(ports, policy, status, wanted);
  }
}

/** Projects and tasks by the name of the policy that is for them, applied or held back. */
async function countsOf({ queue, source }: PolicyStatusPorts): Promise<ReadonlyMap<string, PolicyCounts>> {
  const counts = new Map<string, PolicyCounts>();
  for await (const { project, answer } of knownProjects(queue, source)) {
    const name = answer.kind === 'held' ? answer.name : answer.policy.name;
    if (name === null) continue;
    const { matchedProjects, waiting, running } = counts.get(name) ?? noCounts;
    counts.set(name, {
      matchedProjects: matchedProjects + 1,
      waiting: waiting + project.waiting,
      running: running + project.running,
    });
  }
  return counts;
}

async function write(
  { client, namespace, signal, log }: PolicyStatusPorts,
  policy: ReadPolicy,
  before: PolicyStatus | null,
  status: PolicyStatus,
): Promise<void> {
  const { name, uid } = policy;
  const limits = { signal, timeoutMs: callMs };
  const call = { ...limits, subresource: 'status', precondition: { uid } } as const;
  const written = await client.patch(reviewPolicies, { namespace, name }, { status }, call);
  switch (written.kind) {
    case 'done':
      break;
    case 'absent':
    case 'conflict':
      return; // it went, or another took its name: its own event wakes us
    default:
      unreachable(written);
  }
  for (const condition of badNews(before, status)) {
    log.warn({ policy: name, generation: policy.generation, reason: condition.reason }, 'policy needs a look');
    await client.create(policyEvents, policyEvent(policy, condition, namespace), limits);
  }
}

/** What a person should look at, once for each generation. */
function badNews(before: PolicyStatus | null, after: PolicyStatus): readonly PolicyCondition[] {
  const isBad = ({ type, status }: PolicyCondition) => status === (type === 'Accepted' ? 'False' : 'True');
  const known = before?.conditions ?? [];
  return (after.conditions ?? []).filter(
    (condition) =>
      isBad(condition) &&
      !known.some((one) => one.type === condition.type && isBad(one) && one.message === condition.message),
  );
}

function conditionsOf(status: PolicyStatus | null): unknown {
  return (status?.conditions ?? []).map((condition) => [
    ...[condition.type, condition.status, condition.reason, condition.message],
    ...[condition.observedGeneration, condition.lastTransitionTime],
  ]);
}

function hasSameCounts(left: PolicyStatus, right: PolicyStatus | null): boolean {
  return (
    left.matchedProjects === right?.matchedProjects &&
    left.waiting === right?.waiting &&
    left.running === right?.running
  );
}
