/**
 * What it means for a task that something befell its agent, by the table of failure classes:
 *
 *   oom                    never again, but once with more memory where policy gives it
 *   disk                   never again
 *   infra                  again, uncounted, yet only so often
 *   capacity               waits for room
 *   config                 never, and a person is told
 *   isolation-unenforced   nothing is launched any more until a person acts
 *   stale                  again, counted: a gateway that sends every agent away must not be asked for ever
 */
import { unreachable, type TaskEvent } from '@drydock/core';
import type { TaskFailure } from '@drydock/queue';
import type { Ending } from './ending.ts';
import type { AgentExit } from './launchers/launcher.ts';

/** What became of the task before. */
export interface TaskRecordFacts {
  /** How many faults counted. */
  readonly failures: number;
  /** How often its agent was taken away since it was asked for. */
  readonly disruptions: number;
  /** Policy gives more memory to an agent that ran out of it. */
  readonly hasMoreMemory: boolean;
}

const failureCodes = {
  oom: 'run.out_of_memory',
  disk: 'run.out_of_disk',
  disrupted: 'run.disrupted',
  disruptedTooOften: 'run.disrupted_too_often',
  noRoom: 'kube.no_room',
  notStartable: 'kube.not_startable',
  isolation: 'kube.isolation_unenforced',
  exchangeRefused: 'run.exchange_refused',
} as const;

/** How often a task is tried again whose agent is taken away. */
const mostDisruptions = 3;

/** The end of the work on a task whose agent failed through no word of its own. */
export function endingOfFailure(exit: Extract<AgentExit, { kind: 'failed' }>, record: TaskRecordFacts): Ending {
  const { reason } = exit;
  const message = exit.message === '' ? reason : exit.message;
  const fail = (cls: TaskFailure['class'], code: string, why = message): Ending => ({
    kind: 'fail',
    failure: { class: cls, code, message: why, retryAfterMs: null },
  });
  switch (exit.class) {
    case 'oom':
      return fail(record.hasMoreMemory && record.failures === 0 ? 'transient' : 'terminal', failureCodes.oom);
    case 'disk':
      return fail('terminal', failureCodes.disk);
    case 'infra':
      if (record.disruptions < mostDisruptions) return fail('infra', failureCodes.disrupted);
      return fail('terminal', failureCodes.disruptedTooOften, `the agent was taken away again and again: ${message}`);
    case 'capacity':
      return { kind: 'no-room', code: failureCodes.noRoom, message: `the cluster has no room for it: ${message}` };
    case 'config':
      return fail('terminal', failureCodes.notStartable, `the agent cannot be started: ${message}`);
    case 'isolation-unenforced':
      return { kind: 'blocked', code: failureCodes.isolation, message, pausesAll: true };
    case 'stale':
      return fail('transient', failureCodes.exchangeRefused);
    default:
      return unreachable(exit.class);
  }
}

/** How often the agent of a task was taken away since somebody asked for it last, by its history. */
export function disruptionsOf(events: readonly TaskEvent[]): number {
  const asked = events.findLastIndex(({ what }) => what === 'queued' || what === 'retried');
  return events.slice(asked + 1).filter(({ what, detail }) => what === 'retrying' && detail === failureCodes.disrupted)
    .length;
}

/** Whether the fault that was counted last was a lack of memory. */
export function ranOutOfMemory(events: readonly TaskEvent[]): boolean {
  return events.findLast(({ what }) => what === 'retrying')?.detail === failureCodes.oom;
}
