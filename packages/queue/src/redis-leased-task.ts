import { BlockedError, Command, Sha, TaskKind, Trigger } from '@drydock/core';
import { mostAdoptions } from './adoption.ts';
import { oneOf } from './one-of.ts';
import type { LeasedTask } from './task-queue.ts';

/**
 * Reads what `lua/lease.lua` answers of a task, in its order. Throws `BlockedError` (`queue.wrong_type`) when its record is
 * not of our making.
 */
export function readLeasedTask(fields: readonly string[]): LeasedTask {
  try {
    return leasedTask(fields);
  } catch (cause) {
    const message = `the record of task ${String(fields[0])} is of another form or version`;
    throw new BlockedError('queue.wrong_type', message, { cause });
  }
}

/** By hand: a schema would cost more than all else of a lease on our side. */
function leasedTask(fields: readonly string[]): LeasedTask {
  const [taskId = '', adoptedIn = '', lease, launch, launchHead, doneHead, projectPath = '', ...current] = fields;
  const [trigger, command = '', head, queuedAt, failures, adoptions] = current;
  const [kind, forge = '', projectId = '', iid] = taskId.split(':');
  return {
    taskId,
    lease: whole(lease),
    kind: oneOf(TaskKind.options, kind),
    subject: { forge, projectId, iid: whole(iid) },
    projectPath,
    trigger: oneOf(Trigger.options, trigger),
    command: command === '' ? null : Command.parse(JSON.parse(command)),
    headSha: shaOf(head),
    launch: whole(launch),
    failures: whole(failures),
    adopted: adoptionOf(adoptedIn, shaOf(launchHead), whole(adoptions)),
    queuedAtMs: whole(queuedAt),
    doneHeadSha: shaOf(doneHead),
  };
}

function adoptionOf(state: string, launchHead: Sha | null, adoptions: number): LeasedTask['adopted'] {
  if (state === '') return null;
  const adoptedIn = oneOf(['leased', 'running', 'publishing'], state);
  const headSha = adoptedIn === 'leased' ? null : launchHead;
  return { state: adoptedIn, headSha, isLast: adoptions > mostAdoptions };
}

function whole(text = ''): number {
  if (!/^\d+$/.test(text)) throw new Error('not a whole number');
  return Number(text);
}

function shaOf(text = ''): Sha | null {
  return text === '' ? null : Sha.parse(text);
}
