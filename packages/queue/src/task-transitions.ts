/**
 * What an event, a lease, a launch or an end makes of a record: pure, the reference for the scripts in `lua/`, which
 * do the same in Redis.
 *
 *   waiting ──lease──▶ leased ──beginLaunch──▶ running ──beginPublishing──▶ publishing ──settle──▶ done, skipped, …
 *      ▲                  └────────────────────────┴── putBack (retry, release) ──┘                      │
 *      └───────────────────────────────────────────┴── takeEvent ────────────────────────────────────────┘
 *
 * A running task has at most one payload waiting behind it. It becomes the task's own when the run ends in any way.
 */
import { numbersPerEpoch, priorityOf, taskIdOf, type Sha, type TaskOutcome, type TaskRequest } from '@drydock/core';
import type { FaultCounts } from './plan-retry.ts';
import { isRunning, runningPayload, type Payload, type TaskRecord, type WaitingPayload } from './task-record.ts';
import type { Enqueued, EnqueueOptions, Interrupt, TaskFailure } from './task-queue.ts';

interface Event {
  readonly request: TaskRequest;
  readonly options: EnqueueOptions;
  /** Something newer is known already: forges deliver out of order. */
  readonly isLate: boolean;
  readonly nowMs: number;
}

/** Whether a request is ready at once: a person's order, or the end of a merge request. */
export function isUrgent({ trigger, command }: TaskRequest): boolean {
  return command !== null || trigger === 'commanded' || trigger === 'manual' || trigger === 'closed';
}

/** Takes in an event; `found` is null for a subject that is not known. */
export function takeEvent(
  found: TaskRecord | null,
  request: TaskRequest,
  options: EnqueueOptions,
  nowMs: number,
): { readonly record: TaskRecord; readonly kind: Exclude<Enqueued['kind'], 'duplicate'> } {
  const before = found ?? blankRecord(request);
  const { newestAtMs } = before;
  const { occurredAtMs } = request;
  const isLate = occurredAtMs !== null && newestAtMs !== null && occurredAtMs < newestAtMs;
  const event = { request, options, isLate, nowMs };
  const record: TaskRecord = {
    ...before,
    projectPath: isLate ? before.projectPath : request.projectPath,
    newestAtMs: isLate ? newestAtMs : (occurredAtMs ?? newestAtMs),
    updatedAtMs: nowMs,
    waiting: before.waiting === null ? newPayload(event, before.current) : coalesce(before.waiting, event),
  };
  if (isRunning(record)) {
    const interrupt = interruptBy(event, runningPayload(record).headSha);
    if (interrupt === null) return { record, kind: 'marked-dirty' };
    return { record: withInterrupt(record, interrupt), kind: 'superseding' };
  }
  if (found?.state === 'waiting') return { record, kind: 'coalesced' };
  return { record: { ...record, state: 'waiting', lastError: null }, kind: 'queued' };
}

function blankRecord({ kind, subject, projectPath }: TaskRequest): TaskRecord {
  return {
    taskId: taskIdOf(kind, subject),
    kind,
    subject,
    projectPath,
    state: 'waiting',
    lease: 0,
    launch: 0,
    launchLease: 0,
    launchHeadSha: null,
    newestAtMs: null,
    updatedAtMs: 0,
    current: null,
    waiting: null,
    owner: null,
    adoptions: 0,
    doneHeadSha: null,
    interrupt: null,
    outcome: null,
    endedAtMs: null,
    lastError: null,
    events: [],
  };
}

function newPayload({ request, options, isLate, nowMs }: Event, current: Payload | null): WaitingPayload {
  const known = current?.headSha ?? null;
  const isNow = isUrgent(request);
  return {
    trigger: request.trigger,
    command: request.command,
    headSha: isLate ? (known ?? request.headSha) : (request.headSha ?? known),
    queuedAtMs: nowMs,
    failures: 0,
    infraFailures: 0,
    readyAtMs: isNow ? nowMs : nowMs + Math.min(options.debounceMs, options.maxDebounceMs),
    notBeforeMs: 0,
    isUrgent: isNow,
    why: null,
  };
}

/** A later event brings its head; what was asked for stays unless the event is worth as much. */
function coalesce(waiting: WaitingPayload, event: Event): WaitingPayload {
  const { request, isLate } = event;
  const worth = priorityOf(request.trigger) - priorityOf(waiting.trigger);
  const asked = worth > 0 || (worth === 0 && !isLate) ? request : waiting;
  const headSha = isLate ? (waiting.headSha ?? request.headSha) : (request.headSha ?? waiting.headSha);
  const isNewHead = waiting.headSha !== null && headSha !== waiting.headSha;
  return {
    ...waiting,
    trigger: asked.trigger,
    command: asked.command,
    headSha,
    ...(isNewHead ? { failures: 0, infraFailures: 0 } : {}),
    ...coalescedTimes(waiting, event),
  };
}

function coalescedTimes(
  { readyAtMs, notBeforeMs, queuedAtMs, isUrgent: wasUrgent }: WaitingPayload,
  { request, options, isLate, nowMs }: Event,
): Pick<WaitingPayload, 'readyAtMs' | 'notBeforeMs' | 'isUrgent'> {
  if (isUrgent(request)) return { readyAtMs: Math.min(readyAtMs, nowMs), notBeforeMs: 0, isUrgent: true };
  // What is ready keeps its place, however many events come while all schedulers are busy.
  if (readyAtMs <= nowMs || isLate) return { readyAtMs, notBeforeMs, isUrgent: wasUrgent };
  const slidMs = Math.min(nowMs + options.debounceMs, queuedAtMs + options.maxDebounceMs);
  return { readyAtMs: Math.max(nowMs, notBeforeMs, slidMs), notBeforeMs, isUrgent: wasUrgent };
}

function interruptBy({ request, isLate }: Event, runningHead: Sha | null): Interrupt | null {
  if (isLate) return null;
  if (request.trigger === 'closed') return 'closed';
  return request.headSha !== null && request.headSha !== runningHead ? 'superseded' : null;
}

/** Asks the holder to stop. A person's cancelling stays. */
export function withInterrupt(record: TaskRecord, interrupt: Interrupt): TaskRecord {
  return { ...record, interrupt: record.interrupt === 'cancelled' ? 'cancelled' : interrupt };
}

/** The number after this one; in a new epoch it is greater than all of older ones, and counts on. */
function nextNumber(previous: number, epoch: number): number {
  if (previous >= epoch * numbersPerEpoch) return previous + 1;
  return epoch * numbersPerEpoch + (previous % numbersPerEpoch) + 1;
}

/** Who takes a lease, in which epoch of the store. */
export interface NewHolder {
  readonly owner: string;
  readonly epoch: number;
}

/** What waits becomes what runs. */
export function takeLease(record: TaskRecord, { owner, epoch }: NewHolder, nowMs: number): TaskRecord {
  if (record.waiting === null) throw new Error(`task ${record.taskId} does not wait`);
  return {
    ...record,
    state: 'leased',
    lease: nextNumber(record.lease, epoch),
    updatedAtMs: nowMs,
    current: payloadOf(record.waiting),
    waiting: null,
    owner,
    adoptions: 0,
    interrupt: null,
  };
}

function payloadOf({ readyAtMs, notBeforeMs, isUrgent, why, ...payload }: WaitingPayload): Payload {
  return payload;
}

/**
 * Another scheduler takes over: the launch and a pending interrupt stay. It is a fault of the infrastructure, unless the
 * task was handed over: then nobody owns it.
 */
export function adopt(record: TaskRecord, { owner, epoch }: NewHolder, nowMs: number): TaskRecord {
  const current = runningPayload(record);
  const lost = record.owner === null ? 0 : 1;
  return {
    ...record,
    lease: nextNumber(record.lease, epoch),
    updatedAtMs: nowMs,
    owner,
    adoptions: record.adoptions + lost,
    current: { ...current, infraFailures: current.infraFailures + lost },
  };
}

/** A lease begins one launch. `repeated`: this one already did so, on this head; `head-moved`: on another. */
export function beginLaunch(
  record: TaskRecord,
  { headSha, epoch }: { readonly headSha: Sha; readonly epoch: number },
  nowMs: number,
):
  | { readonly kind: 'begun'; readonly record: TaskRecord }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'head-moved' } {
  const { lease, launch, launchLease, launchHeadSha, waiting, interrupt } = record;
  if (launchLease === lease) return launchHeadSha === headSha ? { kind: 'repeated' } : { kind: 'head-moved' };
  // The head that superseded this task before it began is the one that now runs.
  const isCurrent = interrupt === 'superseded' && waiting?.headSha === headSha;
  return {
    kind: 'begun',
    record: {
      ...record,
      state: 'running',
      launch: nextNumber(launch, epoch),
      launchLease: lease,
      launchHeadSha: headSha,
      updatedAtMs: nowMs,
      current: { ...runningPayload(record), headSha },
      interrupt: isCurrent ? null : interrupt,
    },
  };
}

/** A fault with the counts it leads to. */
export interface CountedFailure extends FaultCounts {
  readonly failure: Pick<TaskFailure, 'code' | 'message'>;
}

/** Long texts help nobody, and stay for a month. */
const longestMessage = 2_000;

/** A fault as it is recorded. */
export function countedFailure(
  { failures, infraFailures }: FaultCounts,
  { code, message }: TaskFailure,
): CountedFailure {
  return { failures, infraFailures, failure: { code, message: message.slice(0, longestMessage) } };
}

/** The task waits again, together with what came in meanwhile. `fault`: null when it is no fault. */
export function putBack(
  record: TaskRecord,
  request: { readonly delayMs: number; readonly why: string | null; readonly fault: CountedFailure | null },
  nowMs: number,
): TaskRecord & { readonly waiting: WaitingPayload } {
  const { waiting: after, lastError } = record;
  const current = runningPayload(record);
  const { delayMs, why, fault } = request;
  const dueMs = nowMs + delayMs;
  const counts = fault ?? current;
  const retried = { ...current, failures: counts.failures, infraFailures: counts.infraFailures };
  const waiting: WaitingPayload =
    after === null
      ? { ...retried, readyAtMs: dueMs, notBeforeMs: dueMs, isUrgent: false, why }
      : { ...mergeBehind(retried, after), ...timesBehind(after, dueMs), why };
  return {
    ...record,
    state: 'waiting',
    updatedAtMs: nowMs,
    owner: null,
    interrupt: null,
    waiting,
    lastError: fault === null ? lastError : { code: fault.failure.code, message: fault.failure.message },
  };
}

/** A new head has a budget and an age of its own; the more important order stays. */
function mergeBehind(current: Payload, after: Payload): Payload {
  const { trigger, command } = moreImportant(current, after);
  const isNewHead = after.headSha !== null && current.headSha !== null && after.headSha !== current.headSha;
  const { failures, infraFailures, queuedAtMs } = isNewHead ? after : current;
  return { trigger, command, headSha: after.headSha ?? current.headSha, failures, infraFailures, queuedAtMs };
}

function timesBehind(after: WaitingPayload, dueMs: number) {
  if (after.isUrgent) return { readyAtMs: after.readyAtMs, notBeforeMs: 0, isUrgent: true };
  return { readyAtMs: Math.max(dueMs, after.readyAtMs), notBeforeMs: dueMs, isUrgent: false };
}

function moreImportant(current: Payload, after: Payload): Payload {
  return priorityOf(current.trigger) > priorityOf(after.trigger) ? current : after;
}

/** The task ended. What came in meanwhile waits from now on. */
export function settle(
  record: TaskRecord,
  { outcome, fault }: { readonly outcome: TaskOutcome; readonly fault: CountedFailure | null },
  nowMs: number,
): TaskRecord {
  const { waiting, lastError } = record;
  const current = runningPayload(record);
  const doneHeadSha = outcome.kind === 'done' ? (current.headSha ?? record.doneHeadSha) : record.doneHeadSha;
  const ended = {
    ...record,
    updatedAtMs: nowMs,
    owner: null,
    interrupt: null,
    outcome,
    endedAtMs: nowMs,
    doneHeadSha,
  };
  const failed =
    fault === null
      ? { current, lastError }
      : {
          current: { ...current, failures: fault.failures, infraFailures: fault.infraFailures },
          lastError: { code: fault.failure.code, message: fault.failure.message },
        };
  if (waiting === null) return { ...ended, ...failed, state: outcome.kind };
  // What was superseded did not answer the person who asked: the order goes on with the newer head.
  const { trigger, command } = outcome.kind === 'superseded' ? moreImportant(current, waiting) : waiting;
  return {
    ...ended,
    ...failed,
    state: 'waiting',
    waiting: { ...waiting, trigger, command },
    lastError: fault === null ? null : failed.lastError,
  };
}

/** How a cancelled run ends that its holder puts back. */
export const cancelledOutcome: TaskOutcome = { kind: 'cancelled', why: 'cancelled by a person' };

/** A task that waits ends; of one that runs the holder is asked to stop, and what waits behind it goes. */
export function cancel(record: TaskRecord, outcome: TaskOutcome, nowMs: number): TaskRecord {
  const { waiting } = record;
  if (isRunning(record)) return { ...record, interrupt: 'cancelled', waiting: null };
  if (waiting === null) throw new Error(`task ${record.taskId} has ended`);
  const ended = { state: outcome.kind, outcome, endedAtMs: nowMs, updatedAtMs: nowMs };
  return { ...record, ...ended, current: payloadOf(waiting), waiting: null };
}

/** A person wants it tried again: at once, with its faults forgotten. */
export function retry(record: TaskRecord, nowMs: number): TaskRecord {
  const { waiting, current, state } = record;
  const now = { notBeforeMs: 0, isUrgent: true, failures: 0, infraFailures: 0 };
  if (waiting !== null) {
    const isOrdered = priorityOf(waiting.trigger) >= priorityOf('manual');
    const asked = isOrdered ? {} : { trigger: 'manual' as const, command: null };
    const readyAtMs = Math.min(waiting.readyAtMs, nowMs);
    return { ...record, updatedAtMs: nowMs, waiting: { ...waiting, ...asked, ...now, readyAtMs } };
  }
  if (current === null) throw new Error(`task ${record.taskId} in state ${state} has no payload`);
  return {
    ...record,
    state: 'waiting',
    updatedAtMs: nowMs,
    lastError: null,
    waiting: {
      trigger: 'manual',
      command: null,
      headSha: current.headSha,
      queuedAtMs: nowMs,
      ...now,
      readyAtMs: nowMs,
      why: null,
    },
  };
}
