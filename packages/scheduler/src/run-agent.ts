import { DrydockError, TransientError, type Clock, type Log, type RunView } from '@drydock/core';
import type { Gateway } from './gateway.ts';
import { StopSignal } from './heartbeat.ts';
import { isPassing } from './if-answered.ts';
import { LeaveAgent, type AgentExit, type AgentLaunch, type Launcher, type LeftMs } from './launchers/launcher.ts';

interface AgentPorts {
  readonly gateway: Gateway;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often to look whether the result is in while the agent still runs; those in a cluster may be thousands. */
const lookEveryMs = { inCluster: 10_000, here: 5000 };
/** How long an agent may go on once its result is in. */
const lingerMs = 10_000;
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
  const over = new AbortController();
  const stop = new AbortController();
  let isLeft = false;
  const onAbort = () => {
    isLeft = ports.launcher.outlivesUs && goesOn(signal.reason);
    stop.abort(isLeft ? new LeaveAgent() : signal.reason);
  };
  const guard = () => {
    try {
      return leftMs();
    } catch (why) {
      isLeft = ports.launcher.outlivesUs; // it may be another's by now
      throw why;
    }
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const watching = endWhenDone(ports, runId, stop, over.signal);
  const revoking = firstAbort(signal, over.signal).then(() => (isLeft ? undefined : revoke(ports, runId)));
  for (const task of [watching, revoking]) {
    task.catch(() => {
      stop.abort(); // a bug: it shows below, once the agent is gone
    });
  }
  try {
    return await work(stop.signal, guard);
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
    await Promise.all([watching, revoking]);
  }
}

/** Whether the work is still wanted when we stop with it: our process ends, or somebody else has the task. */
function goesOn(why: unknown): boolean {
  return !(why instanceof StopSignal) || why.reason === 'shutdown' || why.reason === 'lease-lost';
}

function firstAbort(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}

async function endWhenDone(
  { gateway, launcher, clock, log }: AgentPorts,
  runId: string,
  enough: AbortController,
  over: AbortSignal,
): Promise<void> {
  const isOver = () => over.aborted;
  while (!isOver()) {
    await clock.sleep(launcher.outlivesUs ? lookEveryMs.inCluster : lookEveryMs.here, over);
    const run = isOver() ? null : await readQuietly(gateway, runId, over);
    if (run === null || (run.result === null && !run.isRevoked)) continue;
    await clock.sleep(lingerMs, over);
    if (isOver()) return;
    log.warn({ runId, reason: run.result === null ? 'revoked' : 'result-is-in' }, 'agent ended that went on');
    enough.abort();
    return;
  }
}

/** The next look may be answered. */
async function readQuietly(gateway: Gateway, runId: string, over: AbortSignal): Promise<RunView | null> {
  try {
    return await gateway.readRun(runId, over);
  } catch (error) {
    if (error instanceof DrydockError || over.aborted) return null;
    throw error;
  }
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
