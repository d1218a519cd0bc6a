/** The scripts as functions. What each does stands at the head of its file; all share the prelude's keys. */
import {
  BlockedError,
  priorityOf,
  taskIdOf,
  type ProjectKey,
  type Sha,
  type TaskId,
  type TaskOutcome,
  type TaskRequest,
} from '@drydock/core';
import { z } from 'zod';
import { oneOf } from './one-of.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { ShareChange } from './share-changes.ts';
import { redisLua, sharedLua } from './redis-lua.ts';
import type { AuditPlace } from './redis-audit.ts';
import { readLeasedTask } from './redis-leased-task.ts';
import { adoptedTooOften, adoptionsInAll } from './adoption.ts';
import { longestPauseHistory } from './pause-scope.ts';
import { historyText, requestText, shortHead } from './task-history.ts';
import type { EnqueueOptions, HeldLease, Interrupt, LeasedTask, LeaseRequest } from './task-queue.ts';
import { cancelledOutcome, isUrgent, type CountedFailure } from './task-transitions.ts';

/** What every script needs. */
export interface ScriptContext {
  readonly keys: RedisKeys;
  /** Empty: Redis TIME. Tests move the time. */
  readonly nowMs: number | '';
  readonly retentionMs: number;
}

type AboutTask<Input> = ScriptContext & { readonly taskId: TaskId } & Input;
type WithLease<Input> = ScriptContext & { readonly held: HeldLease } & Input;

const commonArgs = ({ keys, nowMs, retentionMs }: ScriptContext) => [nowMs, keys.root, retentionMs] as const;
const commonKeys = ({ keys }: ScriptContext) => [keys.clock];
const taskKeys = ({ keys }: ScriptContext, taskId: TaskId) => [keys.clock, keys.task(taskId)];
const heldKeys = (input: WithLease<unknown>) => taskKeys(input, input.held.taskId);
const heldArgs = (input: WithLease<unknown>) => [...commonArgs(input), input.held.taskId, input.held.lease] as const;

const faultArgs = (fault: CountedFailure | null) =>
  fault === null
    ? ['', '', '', '', '']
    : ['1', fault.failures, fault.infraFailures, fault.failure.code, fault.failure.message];
const whyCancelled = 'why' in cancelledOutcome ? cancelledOutcome.why : '';

/** Texts as `struct.unpack` reads them in a script: one argument costs Redis and the client less than a dozen. */
function zeroEnded(texts: readonly (string | number)[]): string {
  let packed = '';
  for (const text of texts) {
    const hasZero = typeof text === 'string' && text.includes('\0');
    packed += `${hasZero ? text.replaceAll('\0', '') : text}\0`;
  }
  return packed;
}

const lost = z.tuple([z.literal('lost')]).transform(() => ({ kind: 'lost' as const }));
const cancelled = z.tuple([z.literal('cancelled')]).transform(() => ({ kind: 'cancelled' as const }));
/** The epoch is to be renewed before this can be asked again. */
const outOfEpoch = z.tuple([z.literal('epoch')]).transform(() => ({ kind: 'epoch' as const }));

export const enqueue = sharedLua({
  file: 'enqueue.lua',
  keys: (
    input: ScriptContext & {
      readonly request: TaskRequest;
      readonly options: EnqueueOptions;
      readonly deliveryTtlMs: number;
    },
  ) => commonKeys(input),
  head: (input) => [...commonArgs(input), input.deliveryTtlMs],
  item: ({ keys, request, options }) =>
    zeroEnded([
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
      historyText(options.by ?? 'server'),
      historyText(requestText(request)),
      options.deliveryKeys.length,
      ...options.deliveryKeys.map((key) => keys.delivery(key)),
    ]),
  reply: (reply) => oneOf(['queued', 'coalesced', 'duplicate', 'superseding', 'marked-dirty'] as const, reply),
});

/** How many delayed tasks one lease moves at most. With more due at once, priority holds among those moved. */
const promotionBatch = 100;

export const lease = sharedLua({
  file: 'lease.lua',
  isNumbered: true,
  keys: (input: ScriptContext & LeaseRequest) => commonKeys(input),
  head: (input) => [
    ...commonArgs(input),
    historyText(input.owner),
    input.ttlMs,
    input.limits.total,
    input.limits.perForge ?? '',
    input.limits.perProject ?? '',
    promotionBatch,
    adoptionsInAll,
    adoptedTooOften.code,
    adoptedTooOften.message,
  ],
  item: () => null,
  reply: readLease,
});

/** Whom it serves first, also hears of what was found on the way. */
function readLease(reply: unknown) {
  if (typeof reply !== 'string') throw new Error('a script answered with something else than a text');
  const [kind, parked = '', ended = '', ...fields] = reply.split('\0');
  if (kind === 'epoch') return { kind } as const;
  return { kind: 'ok', parked: wordsOf(parked), ended: wordsOf(ended), leased: leasedOf(fields) } as const;
}

/** What a script can read and we cannot is answered as well: it is held now, and must not be tried for ever. */
function leasedOf(fields: readonly string[]): LeasedTask | UnreadableTask | null {
  const [taskId] = fields;
  if (taskId === undefined) return null;
  try {
    return readLeasedTask(fields);
  } catch (err) {
    if (!(err instanceof BlockedError)) throw err;
    return { taskId, hadWaited: fields[1] === '', lease: fields[2] ?? '', err };
  }
}

/** A task whose lease we hold and whose record we cannot read. */
export interface UnreadableTask {
  readonly taskId: string;
  readonly lease: string;
  /** It was not taken over from somebody. */
  readonly hadWaited: boolean;
  readonly err: BlockedError;
}

function wordsOf(list: string): readonly string[] {
  return list === '' ? [] : list.split(' ');
}

export const park = redisLua({
  file: 'park.lua',
  keys: (input: ScriptContext & { readonly unreadable: UnreadableTask }) => [
    input.keys.clock,
    input.keys.task(input.unreadable.taskId),
  ],
  args: ({ unreadable, ...input }) => [
    ...commonArgs(input),
    unreadable.taskId,
    unreadable.lease,
    unreadable.hadWaited ? '1' : '',
  ],
  reply: z.number().transform((parked) => parked === 1),
});

/** What an audit found or did about what, as its script says it. */
const Finding = z
  .string()
  .transform((line) => line.split(' '))
  .pipe(z.tuple([z.enum(['foreign', 'mended', 'aside', 'placed', 'unparked', 'parked'])], z.string()))
  .transform(([what, ...name]) => ({ what, name: name.join(' ') }));

export const audit = redisLua({
  file: 'audit.lua',
  keys: (input: ScriptContext & { readonly place: AuditPlace; readonly mostLookedAt: number }) => commonKeys(input),
  args: (input) => [...commonArgs(input), input.place.what, input.place.score, input.place.seen, input.mostLookedAt],
  reply: z
    .tuple([z.string(), z.coerce.number(), z.array(Finding)])
    .transform(([score, seen, findings]) => ({ next: score === '' ? null : { score, seen }, findings })),
});

export const extend = redisLua({
  file: 'extend.lua',
  keys: heldKeys,
  args: (input: WithLease<{ readonly ttlMs: number }>) => [...heldArgs(input), input.ttlMs],
  reply: z.union([
    lost,
    z
      // Another word than we know, by a newer version or by damage, must not end who holds the task.
      .tuple([z.literal('held'), z.enum(['superseded', 'closed', 'cancelled']).nullable().catch(null)])
      .transform(([kind, interrupt]) => ({ kind, interrupt })),
  ]),
});

export const beginLaunch = redisLua({
  file: 'begin-launch.lua',
  isNumbered: true,
  keys: heldKeys,
  args: (input: WithLease<{ readonly headSha: Sha }>) => [...heldArgs(input), input.headSha, shortHead(input.headSha)],
  reply: z.union([
    outOfEpoch,
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

export const handOver = redisLua({
  file: 'hand-over.lua',
  keys: heldKeys,
  args: (input: WithLease<unknown>) => heldArgs(input),
  reply: z.enum(['handed-over', 'lost']),
});

export const settle = sharedLua({
  file: 'settle.lua',
  keys: (input: WithLease<{ readonly outcome: TaskOutcome; readonly fault: CountedFailure | null }>) =>
    commonKeys(input),
  head: (input) => commonArgs(input),
  item: ({ held, outcome, fault }) =>
    zeroEnded([
      held.taskId,
      held.lease,
      outcome.kind,
      outcome.kind === 'done' ? '' : outcome.why,
      outcome.kind === 'done' ? '' : historyText(outcome.why),
      fault === null ? '' : whyCancelled,
      ...faultArgs(fault),
    ]),
  reply: (reply) => oneOf(['lost', 'ended', 'requeued', 'cancelled'] as const, reply),
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
  ) => [
    ...heldArgs(input),
    input.delayMs,
    input.why ?? '',
    historyText(input.fault?.failure.code ?? input.why ?? ''),
    whyCancelled,
    ...faultArgs(input.fault),
  ],
  reply: z.union([
    lost,
    cancelled,
    z
      .tuple([z.literal('back'), z.coerce.number(), z.coerce.number()])
      .transform(([kind, delayMs, failures]) => ({ kind, delayMs, failures })),
  ]),
});

export const interrupt = redisLua({
  file: 'interrupt.lua',
  keys: (input: ScriptContext & { readonly taskId: TaskId; readonly interrupt: Interrupt }) =>
    taskKeys(input, input.taskId),
  args: (input) => [...commonArgs(input), input.interrupt, input.taskId],
  reply: z.enum(['interrupted', 'absent']),
});

export const cancel = redisLua({
  file: 'cancel.lua',
  keys: (input: AboutTask<{ readonly by: string }>) => taskKeys(input, input.taskId),
  args: (input) => {
    const by = historyText(input.by);
    return [...commonArgs(input), input.taskId, `cancelled by ${by}`, by];
  },
  reply: z.enum(['cancelled', 'cancelling', 'absent']),
});

export const retry = redisLua({
  file: 'retry.lua',
  keys: (input: AboutTask<{ readonly by: string }>) => taskKeys(input, input.taskId),
  args: (input) => [...commonArgs(input), input.taskId, historyText(input.by), 'manual', priorityOf('manual')],
  reply: z.enum(['queued', 'waiting', 'running', 'absent']),
});

export const pause = redisLua({
  file: 'pause.lua',
  keys: (
    input: ScriptContext & {
      readonly scope: string;
      readonly project: ProjectKey | null;
      readonly by: string;
      /** Null: the pause ends. */
      readonly why: string | null;
    },
  ) => commonKeys(input),
  args: (input) => [
    ...commonArgs(input),
    input.scope,
    input.project ?? '',
    input.why === null ? '' : '1',
    historyText(input.by),
    historyText(input.why ?? ''),
    longestPauseHistory,
  ],
  reply: z.number().transform((changed) => changed === 1),
});

export const changeShares = redisLua({
  file: 'shares.lua',
  keys: (input: ScriptContext & { readonly changes: readonly ShareChange[] }) => commonKeys(input),
  args: (input) => [...commonArgs(input), ...input.changes.flatMap(({ project, share }) => [project, share ?? ''])],
  reply: z.literal('OK'),
});

export const epoch = redisLua({
  file: 'epoch.lua',
  keys: (input: ScriptContext & { readonly runId: string; readonly swept: number | null; readonly known: number }) =>
    commonKeys(input),
  args: (input) => [...commonArgs(input), input.runId, input.swept ?? '', input.known],
  reply: z
    .tuple([z.coerce.number(), z.enum(['', '1'])])
    .transform(([number, due]) => ({ epoch: number, isSweepDue: due === '1' })),
});

/** A share as `shares` keeps it. */
const Share = z
  .string()
  .transform((text) => (/^(\d+) (\d+|-)$/.exec(text) ?? ['', '1', '-']).slice(1))
  .transform(([weight, most]) => ({ weight: Number(weight), maxRunning: most === '-' ? null : Number(most) }));

export const projects = redisLua({
  file: 'projects.lua',
  keys: (input: ScriptContext & { readonly after: string; readonly limit: number }) => commonKeys(input),
  args: (input) => [...commonArgs(input), input.after, input.limit],
  reply: z.tuple([
    z.array(
      z
        .tuple([z.string(), z.string(), z.coerce.number(), z.coerce.number(), Share, z.enum(['', '1'])])
        .transform(([project, projectPath, waiting, running, share, paused]) => {
          const [forge = '', projectId = ''] = project.split(':');
          return { forge, projectId, projectPath, waiting, running, isPaused: paused === '1', ...share };
        }),
    ),
    z.string().transform((last) => (last === '' ? null : last)),
  ]),
});

/** Of how many projects `stats` looks for the oldest task. */
const statsProjects = 1_000;

export const stats = redisLua({
  file: 'stats.lua',
  keys: (input: ScriptContext) => commonKeys(input),
  args: (input) => [...commonArgs(input), statsProjects],
  reply: z
    .array(z.coerce.number())
    .length(7)
    .transform(
      ([waiting = 0, running = 0, dead = 0, processedToday = 0, oldestReadyMs = 0, parked = 0, setAside = 0]) => ({
        waiting,
        running,
        dead,
        processedToday,
        oldestReadyMs,
        parked,
        setAside,
      }),
    ),
});
