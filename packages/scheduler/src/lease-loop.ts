import { DrydockError, TransientError, type ProjectKey, type ProjectShare } from '@drydock/core';
import { Heartbeats } from './heartbeat.ts';
import { OverdueRuns } from './overdue-runs.ts';
import { sharesOfPolicies } from './policies/shares-of-policies.ts';
import { lookEveryMs } from './run-agent.ts';
import { runTask } from './run-task.ts';
import type { TaskPorts, TaskTimes } from './task-ports.ts';

/** How the loop leases. */
export interface LeaseLoopSettings extends TaskTimes {
  /** Names this scheduler for people. */
  readonly owner: string;
  /** Tasks at once, over all schedulers of the queue. */
  readonly maxRunning: number;
  /** The same for one forge, and for one project; absent: no limit. */
  readonly maxRunningPerForge?: number | undefined;
  readonly maxRunningPerProject?: number | undefined;
  /** Projects that get more or less than others; absent: what the queue has stays. */
  readonly projectShares?: ReadonlyMap<ProjectKey, ProjectShare> | undefined;
  /** How often to ask for work when nothing woke us; waking is only a hint. */
  readonly pollMs: number;
  /** Told of each turn of the loop: it comes at least once in `pollMs`, unless something hangs. */
  readonly onTurn?: (() => void) | undefined;
}

const renewSharesMs = 60_000;
const mostAtOnce = 16;
/**
 * Tasks whose agents are yet to begin: each asks the gateway and the cluster several times. More wait in the queue, where any
 * scheduler can take them, instead of here, where they cost memory and their calls wait for one another.
 */
const mostBeginning = 32;

/**
 * Leases tasks and drives each to its end, until `shutdown` is aborted; then everything in hand is put back.
 * Rejects with a bug, once all other tasks are put back: the process should end.
 */
export async function runLeaseLoop(
  ports: TaskPorts,
  settings: LeaseLoopSettings,
  shutdown: AbortSignal,
): Promise<void> {
  const { queue, clock, log, metrics } = ports;
  const { onTurn } = settings;
  const inHand = new Set<Promise<void>>();
  const failed = new AbortController();
  const ended = AbortSignal.any([shutdown, failed.signal]);
  const shared = {
    ...ports,
    heartbeats: new Heartbeats(ports, settings.leaseTtlMs),
    overdue: new OverdueRuns(ports, ports.launcher.outlivesUs ? lookEveryMs.inCluster : lookEveryMs.here),
  };
  let beginning = 0;
  let wake = new AbortController();
  const wakeUp = () => {
    wake.abort(null);
  };
  ended.addEventListener('abort', wakeUp, { once: true });
  const unsubscribe = queue.onWake(wakeUp);
  metrics.running(0, settings.maxRunning);
  const limits = {
    total: settings.maxRunning,
    perForge: settings.maxRunningPerForge ?? null,
    perProject: settings.maxRunningPerProject ?? null,
  };
  let sharesAtMs = -Infinity;

  /** Again and again, since a store that lost its memory has lost them too, and policies come and go. */
  async function renewShares(): Promise<void> {
    const { projectShares } = settings;
    const { policies } = ports;
    const hasNone = projectShares === undefined && policies === undefined;
    if (hasNone || clock.monotonicMs() - sharesAtMs < renewSharesMs) return;
    const shares = policies === undefined ? projectShares : await sharesOfPolicies(queue, policies, projectShares);
    if (shares !== undefined) await queue.setShares(shares);
    sharesAtMs = clock.monotonicMs();
  }

  /** What cannot be shared as it should be is still worked on. */
  function withoutShares(err: unknown): void {
    if (!(err instanceof DrydockError)) throw err;
    if (!(err instanceof TransientError)) sharesAtMs = clock.monotonicMs();
    log.warn({ code: err.code, err }, 'the shares of projects are not renewed for now');
  }

  /** Several at once after each that gave one: hundreds may wait to be taken over, and the queue serves all in one turn. */
  let atOnce = 1;
  async function leaseSome(): Promise<boolean> {
    const count = Math.min(atOnce, settings.maxRunning - inHand.size);
    if (count <= 0 || beginning > mostBeginning - mostAtOnce) return false;
    const leased = await Promise.all(Array.from({ length: count }, leaseNext));
    atOnce = leased.every((isLeased) => isLeased) ? Math.min(2 * atOnce, mostAtOnce) : 1;
    return leased.includes(true);
  }

  async function leaseNext(): Promise<boolean> {
    try {
      await renewShares().catch(withoutShares);
      const task = await queue.lease({ owner: settings.owner, ttlMs: settings.leaseTtlMs, limits });
      if (task === null) return false;
      beginning += 1;
      const onBegun = once(() => {
        beginning -= 1;
        if (beginning === mostBeginning - mostAtOnce) wakeUp();
      });
      const work = runTask(shared, settings, task, { shutdown: ended, onBegun }).catch((error: unknown) => {
        failed.abort(error);
      });
      inHand.add(work);
      metrics.running(inHand.size, settings.maxRunning);
      void work.finally(() => {
        inHand.delete(work);
        onBegun();
        metrics.running(inHand.size, settings.maxRunning);
        wakeUp();
      });
      return true;
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      if (err instanceof TransientError) log.warn({ code: err.code, err }, 'no lease: the queue does not answer');
      else log.error({ code: err.code, err }, 'no lease: a person must look at the queue');
      return false;
    }
  }

  try {
    while (!ended.aborted) {
      onTurn?.();
      if (await leaseSome()) continue;
      await clock.sleep(settings.pollMs, wake.signal);
      wake = new AbortController();
    }
  } catch (error) {
    failed.abort(error);
  } finally {
    unsubscribe();
    await Promise.all(inHand);
  }
  if (failed.signal.aborted) throw failed.signal.reason;
}

/** What was called before does nothing. */
function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
