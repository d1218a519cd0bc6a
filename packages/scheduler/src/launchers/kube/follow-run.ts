import { DrydockError, TransientError, type Clock, type Log } from '@drydock/core';
import { LeaveAgent, type AgentExit } from '../launcher.ts';
import { agentState, type PendingWhy } from './agent-end.ts';
import type { KubeLauncherMetrics } from './kube-launcher-metrics.ts';
import type { PodRefusal } from './refused-pod.ts';
import type { RunBoard } from './run-board.ts';
import type { JobFacts } from './run-facts.ts';

/** How long what Kubernetes waits for without end may take, in milliseconds. */
export interface FollowTimes {
  /** Until a node takes a pod, and until one is made at all. */
  readonly pendingLimitMs: number;
  /** Until a pod that a node took has begun its agent. */
  readonly startLimitMs: number;
  /** Until an image can be pulled that could not at first. */
  readonly pullGraceMs: number;
  /** Until all is told of an end that has begun to show. */
  readonly settleMs: number;
}

/** What following a run needs. */
export interface FollowPorts {
  readonly board: RunBoard;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: KubeLauncherMetrics;
  /** Asks the API server whether the Job is there: of one that came and went between two lists no watch tells. */
  readonly isThere: () => Promise<boolean>;
  /** Asks the API server why it makes no pod; null: it does not say. */
  readonly whyNoPod: (signal: AbortSignal) => Promise<PodRefusal | null>;
}

/** The Job of a run, and how long its agent may work. */
export interface FollowedRun {
  readonly job: JobFacts;
  readonly deadlineSeconds: number;
  /** How old the Job is, by the clock that says when it was created. Ours may be another: it would end runs for nothing. */
  readonly ageMs: number;
}

/** Kubernetes' own clock ends a run at its deadline; ours does when that one fails. */
const deadlineMarginMs = 3_000;
/** After so long without a word of a Job that was made it is asked for. */
const unseenMs = 30_000;

/**
 * Waits until the agent of a run has ended, cannot begin, or is not to be waited for any more. It writes nothing.
 */
export async function followRun(
  ports: FollowPorts,
  times: FollowTimes,
  { job, deadlineSeconds, ageMs }: FollowedRun,
  signal: AbortSignal,
): Promise<AgentExit> {
  const { board, clock, metrics } = ports;
  const { runId, uid } = job;
  const startMs = clock.monotonicMs();
  const waits = new Waits(times, startMs);
  const refusals = new Refusals(times, startMs);
  const endMs = startMs + (job.deadlineSeconds ?? Infinity) * 1000 - ageMs;
  let isSeen = false;
  let hadPod = false;
  let askAtMs = startMs + unseenMs;
  let runningAtMs: number | null = null;
  const changes = new Changes(board, runId, signal);
  try {
    for (;;) {
      if (signal.aborted) return { kind: signal.reason instanceof LeaveAgent ? 'left' : 'aborted' };
      changes.reset();
      const nowMs = clock.monotonicMs();
      const held = board.job(runId, uid);
      const pods = board.podsOf(runId);
      isSeen ||= held !== null;
      hadPod ||= pods.length > 0;
      if (!isSeen && nowMs >= askAtMs) {
        askAtMs = nowMs + unseenMs;
        isSeen = !(await isThere(ports));
      }
      const isAbsent: boolean = held === null && isSeen;
      const state = agentState({ job: isAbsent ? null : (held ?? job), pods, hadPod });
      if (state.kind === 'running' && runningAtMs === null) {
        runningAtMs = nowMs;
        metrics.running(nowMs - startMs);
      }
      if (state.kind === 'ended') return state.exit;
      const workedMs = runningAtMs === null ? Infinity : runningAtMs + deadlineSeconds * 1000;
      const deadlineMs = Math.min(workedMs, endMs) + deadlineMarginMs;
      if (nowMs >= deadlineMs) return { kind: 'timed-out' };
      const { exit, untilMs } = waits.look(state, nowMs);
      const isPodless = state.kind === 'pending' && state.why === 'no-pod';
      if (isPodless && nowMs >= refusals.askAtMs) {
        await refusals.ask(ports, nowMs, signal);
        continue; // meanwhile all may have changed
      }
      const refusal = isPodless ? refusals.found : null;
      if (refusal !== null && (exit !== null || refusal.class === 'config')) return { kind: 'failed', ...refusal };
      if (exit !== null) return exit;
      const lookAtMs = Math.min(isSeen ? Infinity : askAtMs, isPodless ? refusals.askAtMs : Infinity);
      await changes.wait(clock, Math.min(untilMs, deadlineMs, lookAtMs) - nowMs);
    }
  } finally {
    changes.end();
  }
}

/** Who does not answer says nothing of it. */
async function isThere({ isThere: ask, log }: FollowPorts): Promise<boolean> {
  try {
    return await ask();
  } catch (err) {
    if (!(err instanceof TransientError)) throw err;
    log.warn({ err }, 'a Job that was never seen cannot be asked for');
    return true;
  }
}

/** Why no pod is made is asked for early, so that people hear of it soon, and again before the wait for it is given up. */
class Refusals {
  found: PodRefusal | null = null;
  readonly #askAtMs: number[] = [];

  constructor({ pullGraceMs, pendingLimitMs }: FollowTimes, startMs: number) {
    // The event may come late, so it is asked for again, ever more rarely.
    for (let ms = pullGraceMs; ms < pendingLimitMs; ms *= 2) this.#askAtMs.push(startMs + ms);
    this.#askAtMs.push(startMs + pendingLimitMs);
  }

  get askAtMs(): number {
    return this.#askAtMs[0] ?? Infinity;
  }

  /** Who does not answer, or may not tell, says nothing of it. */
  async ask({ whyNoPod, log }: FollowPorts, nowMs: number, signal: AbortSignal): Promise<void> {
    while (nowMs >= this.askAtMs) this.#askAtMs.shift();
    try {
      this.found = await whyNoPod(signal);
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      if (!signal.aborted) log.warn({ err }, 'why there is no pod cannot be asked');
    }
  }
}

/** Changes of a run that came since the last look, and those to come. */
class Changes {
  #changed = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #signal: AbortSignal;

  constructor(board: RunBoard, runId: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#unsubscribe = board.onRun(runId, () => {
      this.#changed.abort(null);
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = () => {
    this.#changed.abort(null);
  };

  reset(): void {
    this.#changed = new AbortController();
  }

  async wait(clock: Clock, ms: number): Promise<void> {
    if (this.#signal.aborted || ms <= 0) return;
    await clock.sleep(Math.min(ms, longestSleepMs), this.#changed.signal);
  }

  end(): void {
    this.#unsubscribe();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Timers take no longer ones. */
const longestSleepMs = 60_000;

type Waiting = Extract<ReturnType<typeof agentState>, { kind: 'pending' | 'settling' | 'running' }>;

/** What a run waits for, and since when. */
class Waits {
  readonly #times: FollowTimes;
  readonly #startMs: number;
  /** Since when each reason is heard of; that images are tried again in between does not begin it anew. */
  readonly #sinceMs = new Map<PendingWhy | 'settling', number>();

  constructor(times: FollowTimes, startMs: number) {
    this.#times = times;
    this.#startMs = startMs;
  }

  look(state: Waiting, nowMs: number): { readonly exit: AgentExit | null; readonly untilMs: number } {
    if (state.kind === 'running') {
      this.#sinceMs.clear();
      return { exit: null, untilMs: Infinity };
    }
    const why = state.kind === 'settling' ? 'settling' : state.why;
    if (state.kind === 'pending') this.#sinceMs.delete('settling');
    const sinceMs = this.#sinceMs.get(why) ?? (why === 'no-pod' || why === 'unscheduled' ? this.#startMs : nowMs);
    this.#sinceMs.set(why, sinceMs);
    const untilMs = sinceMs + this.#limitMs(why);
    if (nowMs < untilMs) return { exit: null, untilMs };
    if (state.kind === 'settling') return { exit: state.exit, untilMs };
    const { reason, message } = state;
    return { exit: { kind: 'failed', class: classOf(state.why), reason, message }, untilMs };
  }

  #limitMs(why: PendingWhy | 'settling'): number {
    const { settleMs, pullGraceMs, pendingLimitMs, startLimitMs } = this.#times;
    switch (why) {
      case 'settling':
        return settleMs;
      case 'image':
      case 'container':
        return pullGraceMs;
      case 'starting':
        return startLimitMs;
      case 'no-pod':
      case 'unscheduled':
      case 'suspended':
        return pendingLimitMs;
    }
  }
}

function classOf(why: PendingWhy): 'config' | 'infra' | 'capacity' {
  if (why === 'image' || why === 'container') return 'config';
  return why === 'starting' ? 'infra' : 'capacity';
}
