import {
  BlockedError,
  Command,
  Sha,
  TaskEvent,
  TaskKind,
  TaskOutcome,
  TaskState,
  Trigger,
  type TaskId,
} from '@drydock/core';
import { z } from 'zod';
import { longestHistory } from './task-history.ts';
import type { TaskRecord } from './task-record.ts';

/** A field that is empty or absent when there is none. */
const optional = <Output>(schema: z.ZodType<Output, string>) =>
  z
    .string()
    .default('')
    .transform((text): Output | null => (text === '' ? null : schema.parse(text)));
const Whole = z.string().regex(/^\d+$/).transform(Number);
/** 0 is left out. */
const Count = z.string().regex(/^\d+$/).default('0').transform(Number);
const Flag = z
  .enum(['', '1'])
  .default('')
  .transform((text) => text === '1');
const CommandText = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(Command);

/** A task's hash, its fields as `lua/prelude.lua` names them. Fields that we do not know are left alone. */
const TaskHash = z.object({
  v: z.enum(['1', '2']),
  path: z.string().default(''),
  state: TaskState,
  lease: Count,
  launch: Count,
  launchLease: Count,
  launchHead: optional(Sha),
  newest: optional(
    z
      .string()
      .regex(/^-?\d+$/)
      .transform(Number),
  ),
  updated: Whole,
  owner: optional(z.string()),
  adoptions: Count,
  doneHead: optional(Sha),
  interrupt: optional(z.enum(['superseded', 'closed', 'cancelled'])),
  outcome: optional(z.string()),
  why: optional(z.string()),
  endedAt: optional(Whole),
  errorCode: optional(z.string()),
  errorMessage: optional(z.string()),
});

const payload = {
  Trigger,
  Command: optional(CommandText),
  Head: optional(Sha),
  Queued: Whole,
  Failures: Count,
  Infra: Count,
};
const CurrentHash = z.object(payload);
const WaitingHash = z.object({ ...payload, Ready: Whole, NotBefore: Count, Urgent: Flag, Why: optional(z.string()) });

const payloadNames = Object.keys(WaitingHash.shape);

/** Reads a task's hash. Throws `BlockedError` (`queue.wrong_type`) when it is not of our making or too new. */
export function parseTaskHash(taskId: TaskId, hash: Readonly<Record<string, string>>): TaskRecord {
  try {
    return readTaskHash(taskId, hash);
  } catch (cause) {
    throw new BlockedError('queue.wrong_type', `the hash of task ${taskId} is of another form or version`, { cause });
  }
}

function readTaskHash(taskId: TaskId, hash: Readonly<Record<string, string>>): TaskRecord {
  const [kind, forge, projectId, iid] = z
    .tuple([TaskKind, z.string(), z.string(), z.coerce.number()])
    .parse(taskId.split(':'));
  const task = TaskHash.parse(hash);
  const current = payloadOf(hash, 'c', CurrentHash);
  const waiting = payloadOf(hash, 'w', WaitingHash);
  return {
    taskId,
    kind,
    subject: { forge, projectId, iid },
    projectPath: task.path,
    state: task.state,
    lease: task.lease,
    launch: task.launch,
    launchLease: task.launchLease,
    launchHeadSha: task.launchHead,
    newestAtMs: task.newest,
    updatedAtMs: task.updated,
    current: current === null ? null : commonOf(current),
    waiting:
      waiting === null
        ? null
        : {
            ...commonOf(waiting),
            readyAtMs: waiting.Ready,
            notBeforeMs: waiting.NotBefore,
            isUrgent: waiting.Urgent,
            why: waiting.Why,
          },
    owner: task.owner,
    adoptions: task.adoptions,
    doneHeadSha: task.doneHead,
    interrupt: task.interrupt,
    outcome: task.outcome === null ? null : outcomeOf(task.outcome, task.why),
    endedAtMs: task.endedAt,
    lastError: task.errorCode === null ? null : { code: task.errorCode, message: task.errorMessage ?? '' },
    events: eventsOf(hash),
  };
}

function payloadOf<T>(hash: Readonly<Record<string, string>>, letter: 'c' | 'w', schema: z.ZodType<T>): T | null {
  if (hash[`${letter}Trigger`] === undefined) return null;
  const fields: Record<string, string> = {};
  for (const name of payloadNames) {
    const value = hash[`${letter}${name}`];
    if (value !== undefined) fields[name] = value;
  }
  return schema.parse(fields);
}

function commonOf({ Trigger: trigger, Command: command, ...rest }: z.infer<typeof CurrentHash>) {
  const { Head: headSha, Queued: queuedAtMs, Failures: failures, Infra: infraFailures } = rest;
  return { trigger, command, headSha, queuedAtMs, failures, infraFailures };
}

function outcomeOf(kind: string, why: string | null): TaskOutcome {
  return TaskOutcome.parse(kind === 'done' ? { kind } : { kind, why: why ?? '' });
}

/** `<ms>|<what>|<who>|<detail>`, and of a launch `|<launch>`. One that we do not know is left out. */
function eventsOf(hash: Readonly<Record<string, string>>): TaskEvent[] {
  const count = Number(hash['events'] ?? 0);
  const numbers = Array.from({ length: Math.min(count, longestHistory) }, (_, i) => count - i).reverse();
  return numbers.flatMap((number) => {
    const [atMs, what, who, detail, launch] = (hash[`e${String(number % longestHistory)}`] ?? '').split('|');
    const which = launch === undefined ? {} : { launch: Number(launch) };
    const parsed = TaskEvent.safeParse({ atMs: Number(atMs), what, who, detail, ...which });
    return parsed.success ? [parsed.data] : [];
  });
}
