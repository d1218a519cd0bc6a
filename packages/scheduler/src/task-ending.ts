/**
 * What a fault means for the task that met it, by the table of failure classes:
 *
 *   infra      the gateway, the store, the forge or the model does not answer or asks to wait: counts nothing
 *   transient  may work the next time, and counts: an agent that crashed or ended without a result, an odd answer
 *   terminal   never will: refused, out of time, a wrong setting
 *
 * What the machines did to an agent has a table of its own, in failure-ending.ts.
 *
 * What the agent says about itself is a claim. It chooses among these, but cannot make itself cost nothing for ever.
 */
import {
  BlockedError,
  StaleError,
  TransientError,
  unreachable,
  type DrydockError,
  type FailedResult,
  type RunView,
} from '@drydock/core';
import type { TaskFailure } from '@drydock/queue';
import type { Ending } from './ending.ts';
import { endingOfFailure, type TaskRecordFacts } from './failure-ending.ts';
import type { AgentExit } from './launchers/launcher.ts';

const infraCodes: ReadonlySet<string> = new Set([
  'gateway.unreachable',
  'gateway.timeout',
  'queue.unreachable',
  'queue.full',
  'forge.unreachable',
  'forge.timeout',
  'forge.rate_limited',
  'forge.unavailable',
  'forge.not_ready',
  'git.unreachable',
  'kube.unreachable',
  'kube.timeout',
  'kube.throttled',
  'kube.unavailable',
  'kube.conflict',
  'kube.gone',
  'model.unreachable',
  'model.timeout',
  'model.rate_limited',
  'model.overloaded',
  'model.unavailable',
  'model.stream_broken',
]);

const lookAgainMs = 1000;

/** Exit codes of agents, as in sysexits.h. */
const exitCodes = { tempFail: 75, badConfig: 78 };

/** Why a task ended whose merge request was closed; one that is opened again later is worth another look. */
export const closedMeanwhile = 'the merge request was closed';

/** Why a task ended that somebody cancelled; who it was stands in its history. */
export const cancelledByPerson = 'cancelled by a person';

/** The process stops: whoever is there next goes on. */
export const stoppedEnding: Ending = { kind: 'release', delayMs: 0, why: 'scheduler-stopped' };

/** What an error of ours means for the task. */
export function endingOfError(error: DrydockError): Ending {
  const { code, message } = error;
  if (error instanceof StaleError) return endingOfStale(error);
  if (error instanceof BlockedError) return { kind: 'blocked', code, message };
  if (error instanceof TransientError) {
    const { retryAfterMs } = error;
    return { kind: 'fail', failure: { class: classOfTransient(code), code, message, retryAfterMs } };
  }
  return { kind: 'fail', failure: { class: 'terminal', code, message, retryAfterMs: null } };
}

function endingOfStale({ code, message }: StaleError): Ending {
  if (code === 'queue.lease_lost' || code === 'run.launch_superseded') return { kind: 'abandon' };
  // What has changed is looked at again rather than given up: the event that tells of it may never come.
  const hasChanged = code.startsWith('merge_request.') || code === 'run.unknown';
  if (hasChanged) return { kind: 'release', delayMs: lookAgainMs, why: code };
  return { kind: 'complete', outcome: { kind: 'cancelled', why: message } };
}

/** What a run that brought no review means for the task. */
export function endingOfRun(exit: AgentExit, run: RunView | null, record: TaskRecordFacts): Ending {
  const told = run?.result;
  const calls = run?.usage.calls ?? 0;
  if (told?.kind === 'failed') return endingOfClaim(told, calls);
  const fail = (cls: TaskFailure['class'], code: string, message: string): Ending => ({
    kind: 'fail',
    failure: { class: cls, code, message, retryAfterMs: null },
  });
  switch (exit.kind) {
    case 'timed-out':
      return fail('terminal', 'run.timed_out', 'the agent did not finish in time');
    case 'exited':
      if (exit.code === exitCodes.badConfig)
        return fail('terminal', 'config.invalid', 'the agent is not set up rightly');
      // Its own word again: who spent something was let in, and is tried again as after a crash.
      if (exit.code === exitCodes.tempFail)
        return fail(
          calls === 0 ? 'infra' : 'transient',
          'gateway.unreachable',
          'the agent could not hand in its result',
        );
      // Once more, in case something came between; an agent that does so again will do so always.
      if (exit.code === 0)
        return fail(
          record.failures > 0 ? 'terminal' : 'transient',
          'run.incomplete',
          'the agent ended without a result',
        );
      return fail('transient', 'run.crashed', 'the agent ended unexpectedly');
    case 'aborted':
      return fail('transient', 'run.cancelled', 'the agent was ended from outside');
    case 'failed':
      return endingOfFailure(exit, record);
    case 'left':
      return { kind: 'hand-over' };
    default:
      return unreachable(exit);
  }
}

/**
 * A refused credential shows at the first call. Who spent something and says so afterwards is tried again as after a
 * crash: believed, it would be free to spend the same again and again.
 */
function endingOfClaim(told: FailedResult, calls: number): Ending {
  const code = /^[a-z_]{1,30}\.[a-z_]{1,40}$/.test(told.code) ? told.code : 'run.crashed';
  const { message, retryAfterMs } = told;
  if (told.class === 'terminal')
    return { kind: 'fail', failure: { class: 'terminal', code, message, retryAfterMs: null } };
  if (told.class === 'blocked' && calls === 0) return { kind: 'blocked', code: blockedCode(code), message };
  const cls = told.class === 'transient' && code.startsWith('model.') ? classOfTransient(code) : 'transient';
  return { kind: 'fail', failure: { class: cls, code, message, retryAfterMs } };
}

/** It becomes the label of a metric. */
function blockedCode(code: string): string {
  return code === 'model.billing' ? code : 'model.unauthorized';
}

function classOfTransient(code: string): TaskFailure['class'] {
  return infraCodes.has(code) ? 'infra' : 'transient';
}

const longestRestMs = 5 * 60_000;
const shortestRestMs = 5000;

/**
 * How long a task rests whose fault cannot even be told on its merge request, because what would tell it is away. Grows
 * with the age of the task, so an outage is not hammered, however long; `random` gives 0 to below 1.
 */
export function restMs(ageMs: number, retryAfterMs: number | null, random: () => number): number {
  const grownMs = Math.min(longestRestMs, Math.max(shortestRestMs, ageMs / 2));
  return Math.round(Math.max(retryAfterMs ?? 0, grownMs * (0.5 + random() / 2)));
}

/** How an attempt ended, for counting. Null: it is not over, somebody goes on with it. */
export function attemptClassOf(ending: Ending): string | null {
  switch (ending.kind) {
    case 'complete':
      return ending.outcome.kind;
    case 'fail':
      return ending.failure.class;
    case 'blocked':
      return 'blocked';
    case 'no-room':
      return 'capacity';
    case 'release':
    case 'abandon':
    case 'hand-over':
      return null;
    default:
      return unreachable(ending);
  }
}
