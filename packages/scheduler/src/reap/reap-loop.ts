/**
 * Removes Jobs that nobody needs, while this process leads. What the ledger proves is looked at once more in the cluster
 * itself, and the delete names the very object and version that was seen: what changed in between stays.
 */
import { DrydockError, TransientError, type Clock, type Log, type RunView } from '@drydock/core';
import { jobs, type KubeClient } from '@drydock/kube';
import type { TaskQueue } from '@drydock/queue';
import type { Gateway } from '../gateway.ts';
import { isOfRun } from '../launchers/kube/job-labels.ts';
import { jobFacts, type JobFacts } from '../launchers/kube/run-facts.ts';
import type { ReapMetrics } from './reap-metrics.ts';
import { beyondCap, planReap, type ReapLimits, type ReapReason, type SkipReason } from './plan-reap.ts';

/** What reaping needs. */
export interface ReapPorts {
  readonly client: Pick<KubeClient, 'read' | 'delete'>;
  /** What is held of the cluster. */
  readonly jobs: () => readonly JobFacts[];
  readonly queue: Pick<TaskQueue, 'get'>;
  readonly gateway: Pick<Gateway, 'readRun' | 'revokeRun'>;
  /** Asked before each write. */
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ReapMetrics;
}

export interface ReapSettings extends ReapLimits {
  readonly namespace: string;
  readonly instance: string;
  readonly everyMs: number;
}

const callMs = 10_000;

/** Reaps in each interval, until the signal is aborted. Rejects with a bug. */
export async function runReapLoop(ports: ReapPorts, settings: ReapSettings, signal: AbortSignal): Promise<void> {
  const { clock, log } = ports;
  const isOver = () => signal.aborted;
  while (!isOver()) {
    await clock.sleep(settings.everyMs, signal);
    if (isOver() || !ports.isLeader()) continue;
    try {
      await reapOnce(ports, settings, signal);
    } catch (err) {
      if (isOver()) return;
      if (!(err instanceof DrydockError)) throw err;
      log.warn({ code: err.code, err }, 'Jobs not reaped');
    }
  }
}

/** Looks at all Jobs once. One that cannot be looked at keeps no other from it. */
export async function reapOnce(ports: ReapPorts, settings: ReapSettings, signal: AbortSignal): Promise<void> {
  const held = ports.jobs();
  const surplus = beyondCap(held, settings.mostFinished);
  for (const job of held) {
    if (signal.aborted || !ports.isLeader()) return;
    if (job.isDeleting) continue;
    const outcome = await tryReap(ports, settings, job, surplus.has(job.uid), signal);
    if (outcome.kind === 'skip') {
      ports.metrics.skipped(outcome.why);
      continue;
    }
    ports.metrics.reaped(outcome.why);
    ports.log.info({ runId: job.runId, jobName: job.name, reason: outcome.why }, 'Job reaped');
  }
}

type Outcome =
  { readonly kind: 'reap'; readonly why: ReapReason } | { readonly kind: 'skip'; readonly why: SkipReason };

/** Whoever may create Jobs may give one our labels, and the gateway or the API server may refuse what stands in it. */
async function tryReap(...args: Parameters<typeof reapJob>): Promise<Outcome> {
  const [{ log }, , { runId, name }, , signal] = args;
  try {
    return await reapJob(...args);
  } catch (err) {
    if (!(err instanceof DrydockError) || signal.aborted) throw err;
    log.warn({ runId, jobName: name, code: err.code, err }, 'Job not looked at');
    return { kind: 'skip', why: 'unreadable' };
  }
}

async function reapJob(
  ports: ReapPorts,
  settings: ReapSettings,
  job: JobFacts,
  isBeyondCap: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const { client, queue, clock, gateway } = ports;
  const { namespace, instance } = settings;
  const launch = Number(job.runId.split('-')[1]);
  if (!Number.isSafeInteger(launch) || job.taskId === '') return { kind: 'skip', why: 'not-ours' };
  const facts = { job, launch, nowMs: clock.nowMs(), isBeyondCap };
  // Most are young or in somebody's hands: the gateway is asked only about the others.
  const alive = { isRevoked: false, result: null };
  const task = await queue.get(job.taskId);
  const first = planReap({ ...facts, task, run: alive }, settings);
  if (first.kind === 'skip' && first.why !== 'run-alive') return first;
  const run = await ask(() => gateway.readRun(job.runId, signal));
  if (run === 'unanswered') return { kind: 'skip', why: 'unanswered' };
  const plan = planReap({ ...facts, task, run }, settings);
  if (plan.kind === 'skip') return plan;

  const place = { namespace, name: job.name };
  const now = await client.read(jobs, place, { signal, timeoutMs: callMs });
  if (now === null || now.metadata.uid !== job.uid) return { kind: 'skip', why: 'gone' };
  if (!isOfRun(now.metadata.labels, instance, job.runId)) return { kind: 'skip', why: 'not-ours' };
  const isFinished = jobFacts(now).finishedAtMs !== null;
  if (job.finishedAtMs !== null && !isFinished) return { kind: 'skip', why: 'changed' };
  // Once more: somebody may have taken the task meanwhile.
  const again = planReap({ ...facts, task: await queue.get(job.taskId), run }, settings);
  if (again.kind === 'skip') return again;
  if (!ports.isLeader()) return { kind: 'skip', why: 'changed' };
  if (run !== null && !run.isRevoked && !isFinished) await gateway.revokeRun(job.runId, signal);
  const { uid, resourceVersion } = now.metadata;
  const deleted = await client.delete(jobs, place, {
    uid,
    resourceVersion,
    propagation: 'Background',
    signal,
    timeoutMs: callMs,
  });
  if (deleted === 'conflict') return { kind: 'skip', why: 'changed' };
  return deleted === 'absent' ? { kind: 'skip', why: 'gone' } : again;
}

async function ask(read: () => Promise<RunView | null>): Promise<RunView | null | 'unanswered'> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TransientError) return 'unanswered';
    throw error;
  }
}
