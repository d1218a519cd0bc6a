import { DrydockError, type Clock, type Log, type RunView } from '@drydock/core';
import type { Gateway } from './gateway.ts';
import type { AgentExit, AgentLaunch, Launcher } from './launchers/launcher.ts';

interface AgentPorts {
  readonly gateway: Gateway;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often to look whether the result is in while the agent still runs. */
const lookEveryMs = 5000;
/** How long an agent may go on once its result is in. */
const lingerMs = 10_000;
/** Limit of telling the gateway that a token is no longer good. */
const revokeLimitMs = 5000;

/**
 * Runs an agent to its end. Its token ends with it, and at once when the work is no longer wanted: before the agent has
 * had its time to end politely. An agent that goes on although its result is in, or although its run was ended in the
 * gateway, is ended too: it would hold a place until its deadline.
 */
export async function runAgent(ports: AgentPorts, launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
  const { runId } = launch;
  const over = new AbortController();
  const enough = new AbortController();
  const watching = endWhenDone(ports, runId, enough, over.signal);
  const revoking = firstAbort(signal, over.signal).then(() => revoke(ports, runId));
  for (const task of [watching, revoking]) {
    task.catch(() => {
      enough.abort(); // a bug: it shows below, once the agent is gone
    });
  }
  try {
    return await ports.launcher.run(launch, AbortSignal.any([signal, enough.signal]));
  } finally {
    over.abort();
    await Promise.all([watching, revoking]);
  }
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
  { gateway, clock, log }: AgentPorts,
  runId: string,
  enough: AbortController,
  over: AbortSignal,
): Promise<void> {
  const isOver = () => over.aborted;
  while (!isOver()) {
    await clock.sleep(lookEveryMs, over);
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

async function revoke({ gateway, log }: AgentPorts, runId: string): Promise<void> {
  const limit = AbortSignal.timeout(revokeLimitMs);
  try {
    await gateway.revokeRun(runId, limit);
  } catch (err) {
    if (!(err instanceof DrydockError) && !limit.aborted) throw err;
    log.warn({ runId, err }, 'run token not revoked; it ends at its deadline');
  }
}
