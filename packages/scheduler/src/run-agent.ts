import { DrydockError, TransientError, type Clock, type Log } from '@drydock/core';
import type { Gateway } from './gateway.ts';
import { StopSignal } from './heartbeat.ts';
import { isPassing } from './if-answered.ts';
import { LeaveAgent, type AgentExit, type AgentLaunch, type Launcher, type LeftMs } from './launchers/launcher.ts';
import { OverdueRuns } from './overdue-runs.ts';

interface AgentPorts {
  readonly gateway: Gateway;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Log;
  /** Looks whether agents go on that should not, for all that run; absent: for this one alone. */
  readonly overdue?: OverdueRuns;
}

/** How often to look whether a run is over while its agent goes on. */
export const lookEveryMs = { inCluster: 10_000, here: 5000 };
/** Limit of telling the gateway that a token is no longer good. */
const revokeLimitMs = 5000;

/**
 * Runs an agent to its end. Its token ends with it, and at once when the work is no longer wanted: before the agent has
 * had its time to end politely. An agent that goes on although its result is in, or although its run was ended in the
 * gateway, is ended too: it would hold a place until its deadline.
 */
export function runAgent(
  ports: AgentPorts,
  launch: AgentLaunch,
  signal: AbortSignal,
  leftMs?: LeftMs,
): Promise<AgentExit> {
  return watched(ports, launch.runId, signal, leftMs, (stop, guard) => ports.launcher.run(launch, stop, guard));
}

/**
 * Goes on with an agent of an earlier scheduler. Null: there is none. While nobody tells, it is looked for again: who gave
 * the task back meanwhile would let another agent begin beside it.
 */
export function adoptAgent(
  ports: AgentPorts,
  runId: string,
  signal: AbortSignal,
  leftMs: LeftMs,
): Promise<AgentExit | null> {
  return watched(ports, runId, signal, leftMs, (stop, guard) =>
    untilAnswered(ports, runId, stop, () => ports.launcher.adopt(runId, stop, guard)),
  );
}

const lookAgainMs = { first: 500, longest: 10_000 };

async function untilAnswered(
  { clock, log }: AgentPorts,
  runId: string,
  stop: AbortSignal,
  look: () => Promise<AgentExit | null>,
): Promise<AgentExit | null> {
  for (let waitMs = lookAgainMs.first; ; waitMs = Math.min(2 * waitMs, lookAgainMs.longest)) {
    try {
      return await look();
    } catch (err) {
      if (!isPassing(err)) throw err;
      log.warn({ runId, code: err.code, err }, 'agent not looked for');
      await clock.sleep(Math.max(waitMs, err instanceof TransientError ? (err.retryAfterMs ?? 0) : 0), stop);
    }
    if (stop.aborted) return { kind: stop.reason instanceof LeaveAgent ? 'left' : 'aborted' };
  }
}

async function watched<Exit>(
  ports: AgentPorts,
  runId: string,
  signal: AbortSignal,
  leftMs: LeftMs = () => Infinity,
  work: (stop: AbortSignal, leftMs: LeftMs) => Promise<Exit>,
): Promise<Exit> {
  const { launcher } = ports;
  const overdue = ports.overdue ?? new OverdueRuns(ports, lookEveryMs.here);
  const stop = new AbortController();
  let isLeft = false;
  let revoking = Promise.resolve();
  let hasEnded = false;
  const endToken = () => {
    if (isLeft || hasEnded) return;
    hasEnded = true;
    revoking = revoke(ports, runId);
    revoking.catch(() => {
      stop.abort(); // a bug: it shows below, once the agent is gone
    });
  };
  const onAbort = () => {
    isLeft = launcher.outlivesUs && goesOn(signal.reason);
    stop.abort(isLeft ? new LeaveAgent() : signal.reason);
    endToken();
  };
  const guard = () => {
    try {
      return leftMs();
    } catch (why) {
      isLeft = launcher.outlivesUs; // it may be another's by now
      throw why;
    }
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const unwatch = overdue.watch(runId, () => {
    stop.abort();
  });
  try {
    return await work(stop.signal, guard);
  } finally {
    signal.removeEventListener('abort', onAbort);
    unwatch();
    endToken();
    await revoking;
  }
}

/** Whether the work is still wanted when we stop with it: our process ends, or somebody else has the task. */
function goesOn(why: unknown): boolean {
  return !(why instanceof StopSignal) || why.reason === 'shutdown' || why.reason === 'lease-lost';
}

/** Ends the token of a run. That it could not be told is only logged. */
export async function revoke({ gateway, log }: Pick<AgentPorts, 'gateway' | 'log'>, runId: string): Promise<void> {
  const limit = AbortSignal.timeout(revokeLimitMs);
  try {
    await gateway.revokeRun(runId, limit);
  } catch (err) {
    if (!(err instanceof DrydockError) && !limit.aborted) throw err;
    log.warn({ runId, err }, 'run token not revoked; it ends at its deadline');
  }
}
