/** The scripts as functions. What each does stands at the head of its file; all share the prelude's keys. */
import { priorityOf, taskIdOf, type Sha, type TaskId, type TaskOutcome, type TaskRequest } from '@drydock/core';
import { z } from 'zod';
import type { RedisKeys } from './redis-keys.ts';
import { redisLua } from './redis-lua.ts';
import type { EnqueueOptions, HeldLease, Interrupt } from './task-queue.ts';
import { isUrgent, type CountedFailure } from './task-transitions.ts';

/** What every script needs. */
export interface ScriptContext {
  readonly keys: RedisKeys;
  /** Empty: Redis TIME. Tests move the time. */
  readonly nowMs: number | '';
  readonly retentionMs: number;
}

type WithLease<Input> = ScriptContext & { readonly held: HeldLease } & Input;

const commonArgs = ({ keys, nowMs, retentionMs }: ScriptContext) => [nowMs, keys.wakeChannel, retentionMs] as const;
const taskKeys = ({ keys }: ScriptContext, taskId: TaskId) => [...keys.common, keys.task(taskId)];
const heldKeys = (input: WithLease<unknown>) => taskKeys(input, input.held.taskId);
const heldArgs = (input: WithLease<unknown>) => [...commonArgs(input), input.held.taskId, input.held.lease] as const;

const faultArgs = (fault: CountedFailure | null) =>
  fault === null
    ? ['', '', '', '', '']
    : ['1', fault.failures, fault.infraFailures, fault.failure.code, fault.failure.message];

const lost = z.tuple([z.literal('lost')]).transform(() => ({ kind: 'lost' as const }));

export const enqueue = redisLua({
  file: 'enqueue.lua',
  keys: (
    input: ScriptContext & {
      readonly request: TaskRequest;
      readonly options: EnqueueOptions;
      readonly deliveryTtlMs: number;
    },
  ) => [
    ...taskKeys(input, taskIdOf(input.request.kind, input.request.subject)),
    ...input.options.deliveryKeys.map((key) => input.keys.delivery(key)),
  ],
  args: (input) => {
    const { request, options, deliveryTtlMs } = input;
    return [
      ...commonArgs(input),
      taskIdOf(request.kind, request.subject),
      request.projectPath,
      request.trigger,
      priorityOf(request.trigger),
      request.command === null ? '' : JSON.stringify(request.command),
      request.headSha ?? '',
      request.occurredAtMs ?? '',
      options.debounceMs,
      options.maxDebounceMs,
      isUrgent(request) ? '1' : '',
      deliveryTtlMs,
    ];
  },
  reply: z.enum(['queued', 'coalesced', 'duplicate', 'superseding', 'marked-dirty']),
});

/** How many delayed tasks one lease moves at most. With more due at once, priority holds among those moved. */
const promotionBatch = 100;

export const lease = redisLua({
  file: 'lease.lua',
  keys: (input: ScriptContext & { readonly owner: string; readonly ttlMs: number; readonly maxRunning: number }) =>
    input.keys.common,
  args: (input) => [
    ...commonArgs(input),
    input.keys.taskPrefix,
    input.owner,
    input.ttlMs,
    input.maxRunning,
    promotionBatch,
  ],
  reply: z
    .tuple([z.array(z.string()), z.string(), z.enum(['', 'leased', 'running', 'publishing']), z.array(z.string())])
    .transform(([parked, taskId, adoptedIn, hash]) => ({
      parked,
      leased: taskId === '' ? null : { taskId, adoptedIn: adoptedIn === '' ? null : adoptedIn, hash: fromPairs(hash) },
    })),
});

export const extend = redisLua({
  file: 'extend.lua',
  keys: heldKeys,
  args: (input: WithLease<{ readonly ttlMs: number }>) => [...heldArgs(input), input.ttlMs],
  reply: z.union([
    lost,
    z
      .tuple([z.literal('held'), z.enum(['', 'superseded', 'closed', 'cancelled'])])
      .transform(([kind, interrupt]) => ({ kind, interrupt: interrupt === '' ? null : interrupt })),
  ]),
});

export const beginLaunch = redisLua({
  file: 'begin-launch.lua',
  keys: heldKeys,
  args: (input: WithLease<{ readonly headSha: Sha }>) => [...heldArgs(input), input.headSha],
  reply: z.union([
    lost,
    z.tuple([z.literal('head-moved')]).transform(([kind]) => ({ kind })),
    z.tuple([z.literal('begun'), z.coerce.number()]).transform(([kind, launch]) => ({ kind, launch })),
  ]),
});

export const beginPublishing = redisLua({
  file: 'begin-publishing.lua',
  keys: heldKeys,
  args: (input: WithLease<unknown>) => heldArgs(input),
  reply: z.enum(['publishing', 'lost']),
});

export const settle = redisLua({
  file: 'settle.lua',
  keys: heldKeys,
  args: (input: WithLease<{ readonly outcome: TaskOutcome; readonly fault: CountedFailure | null }>) => [
    ...heldArgs(input),
    input.outcome.kind,
    input.outcome.kind === 'done' ? '' : input.outcome.why,
    input.keys.dayPrefix,
    ...faultArgs(input.fault),
  ],
  reply: z.enum(['lost', 'ended', 'requeued']),
});

export const putBack = redisLua({
  file: 'put-back.lua',
  keys: heldKeys,
  args: (
    input: WithLease<{
      readonly delayMs: number;
      readonly why: string | null;
      readonly fault: CountedFailure | null;
    }>,
  ) => [...heldArgs(input), input.delayMs, input.why ?? '', ...faultArgs(input.fault)],
  reply: z.union([
    lost,
    z
      .tuple([z.literal('back'), z.coerce.number(), z.coerce.number()])
      .transform(([kind, delayMs, failures]) => ({ kind, delayMs, failures })),
  ]),
});

export const interrupt = redisLua({
  file: 'interrupt.lua',
  keys: (input: ScriptContext & { readonly taskId: TaskId; readonly interrupt: Interrupt }) =>
    taskKeys(input, input.taskId),
  args: (input) => [...commonArgs(input), input.interrupt],
  reply: z.enum(['interrupted', 'absent']),
});

export const stats = redisLua({
  file: 'stats.lua',
  keys: (input: ScriptContext) => input.keys.common,
  args: (input) => [...commonArgs(input), input.keys.dayPrefix],
  reply: z
    .tuple([z.coerce.number(), z.coerce.number(), z.coerce.number(), z.coerce.number(), z.coerce.number()])
    .transform(([waiting, running, dead, processedToday, oldestReadyMs]) => ({
      waiting,
      running,
      dead,
      processedToday,
      oldestReadyMs,
    })),
});

function fromPairs(flat: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) pairs[flat[i] ?? ''] = flat[i + 1] ?? '';
  return pairs;
}
