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
import { unpackTask } from './redis-packed-task.ts';
import type { RedisConnection } from './redis-connection.ts';
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

/** A task's record, its fields as `lua/prelude.lua` names them. Fields that we do not know are left alone. */
const TaskFields = z.object({
  v: z.enum(['1', '2', '3']),
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
const CurrentFields = z.object(payload);
const WaitingFields = z.object({ ...payload, Ready: Whole, NotBefore: Count, Urgent: Flag, Why: optional(z.string()) });

const payloadNames = Object.keys(WaitingFields.shape);

type Fields = Readonly<Record<string, string>>;

/**
 * Reads a task's record; null when there is none. Throws `BlockedError` (`queue.wrong_type`) when it is not of our making
 * or too new, and what ioredis throws.
 */
export async function readTaskRecord(redis: RedisConnection, key: string, taskId: TaskId): Promise<TaskRecord | null> {
  const stored = await readStored(redis, key);
  if (stored === null) return null;
  try {
    return recordOf(taskId, Buffer.isBuffer(stored) ? unpackTask(stored) : stored);
  } catch (cause) {
    throw new BlockedError('queue.wrong_type', `the record of task ${taskId} is of another form or version`, { cause });
  }
}

/** Versions 1 and 2 were hashes; one may be written anew between the two looks. */
async function readStored(redis: RedisConnection, key: string): Promise<Buffer | Fields | null> {
  for (let isAgain = false; ; isAgain = true) {
    try {
      return await redis.getBuffer(key);
    } catch (error) {
      if (!isWrongType(error)) throw error;
    }
    try {
      const hash = await redis.hgetall(key);
      return Object.keys(hash).length === 0 ? null : hash;
    } catch (error) {
      if (isAgain || !isWrongType(error)) throw error;
    }
  }
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE');
}

function recordOf(taskId: TaskId, fields: Fields): TaskRecord {
  const [kind, forge, projectId, iid] = z
    .tuple([TaskKind, z.string(), z.string(), z.coerce.number()])
    .parse(taskId.split(':'));
  const task = TaskFields.parse(fields);
  const current = payloadOf(fields, 'c', CurrentFields);
  const waiting = payloadOf(fields, 'w', WaitingFields);
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
    events: (fields['v'] === '3' ? (fields['history'] ?? '').split('\n') : ringOf(fields)).flatMap(eventOf),
  };
}

function payloadOf<T>(fields: Fields, letter: 'c' | 'w', schema: z.ZodType<T>): T | null {
  if (fields[`${letter}Trigger`] === undefined) return null;
  const own: Record<string, string> = {};
  for (const name of payloadNames) {
    const value = fields[`${letter}${name}`];
    if (value !== undefined) own[name] = value;
  }
  return schema.parse(own);
}

function commonOf({ Trigger: trigger, Command: command, ...rest }: z.infer<typeof CurrentFields>) {
  const { Head: headSha, Queued: queuedAtMs, Failures: failures, Infra: infraFailures } = rest;
  return { trigger, command, headSha, queuedAtMs, failures, infraFailures };
}

function outcomeOf(kind: string, why: string | null): TaskOutcome {
  return TaskOutcome.parse(kind === 'done' ? { kind } : { kind, why: why ?? '' });
}

/** The history as version 2 had it. */
function ringOf(fields: Fields): string[] {
  const count = Number(fields['events'] ?? 0);
  const numbers = Array.from({ length: Math.min(count, longestHistory) }, (_, i) => count - i).reverse();
  return numbers.map((number) => fields[`e${String(number % longestHistory)}`] ?? '');
}

/** `<ms>|<what>|<who>|<detail>`, and of a launch `|<launch>`. One that we do not know is left out. */
function eventOf(line: string): TaskEvent[] {
  const [atMs, what, who, detail, launch] = line.split('|');
  const which = launch === undefined ? {} : { launch: Number(launch) };
  const parsed = TaskEvent.safeParse({ atMs: Number(atMs), what, who, detail, ...which });
  return parsed.success ? [parsed.data] : [];
}
