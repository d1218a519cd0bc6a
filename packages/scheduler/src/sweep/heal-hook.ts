/**
 * Has the forge send again what a webhook of ours did not bring: a comment that asks for a review is no state of a merge
 * request, so no list tells of it.
 *
 * What failed since the last look is noted, then sent again, comments first, each under the key of its first sending, by
 * which the server knows what it has had. A failure rests the webhook, ever longer; a delivery that failed three times so is
 * given up. Whoever crashes in between sends again, at most, what it had sent since it last saved.
 */
import { DrydockError, TransientError, type Clock, type FailedDeliveryPage, type Log } from '@drydock/core';
import type { HookMemory } from '@drydock/queue';
import type { SweepGateway } from './sweep-gateway.ts';
import type { SweepMetrics } from './sweep-metrics.ts';

/** What healing needs. */
export interface HealPorts {
  readonly gateway: SweepGateway;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: SweepMetrics;
}

/** A webhook in its project, and how much may be done for it now. */
export interface HookToHeal {
  readonly forge: string;
  readonly projectId: string;
  readonly projectPath: string;
  readonly hookId: string;
  readonly isSending: boolean;
  /** Null: no failure is known, or there is no log. */
  readonly lastFailedId: string | null;
  /** How old a delivery may be, in milliseconds. */
  readonly reachMs: number;
  readonly maxResends: number;
  /** Ends where the right to sweep does. */
  readonly mayGoOn: () => Promise<boolean>;
}

/** What came of it. `memory` is null where there is nothing to remember. */
export interface Healed {
  readonly memory: HookMemory | null;
  readonly resends: number;
  /** The forge asks not to be asked for more of this project. */
  readonly isLimited: boolean;
}

type Delivery = HookMemory['deliveries'][number];
type Failed = FailedDeliveryPage['deliveries'][number];

const maxTries = 3;
/** Of twenty each. */
const maxPages = 10;
const maxRemembered = 200;
const maxGivenUp = 50;
const firstPauseMs = 15 * 60_000;
const longestPauseMs = 4 * 3_600_000;
/** Of a webhook that is seen for the first time, as after a store that was emptied: what was healed is not known then. */
const firstReachMs = 24 * 3_600_000;

/** Whether something waits to be sent again now. */
export function isHealingDue({ deliveries, pausedUntilMs }: HookMemory, nowMs: number): boolean {
  return pausedUntilMs <= nowMs && deliveries.some(({ tries }) => tries < maxTries);
}

/** Throws what reading the log throws; what sending again throws rests the webhook. */
export async function healHook(
  ports: HealPorts,
  hook: HookToHeal,
  known: HookMemory | null,
  signal: AbortSignal,
): Promise<Healed> {
  const noted = await note(ports, hook, known, signal);
  if (noted === null) return { memory: null, resends: 0, isLimited: false };
  if (!hook.isSending || !isHealingDue(noted, ports.clock.nowMs())) {
    return { memory: noted, resends: 0, isLimited: false };
  }
  return await sendAgain(ports, hook, noted, signal);
}

/** Adds to what is known whatever failed since. */
async function note(
  { gateway, clock }: HealPorts,
  hook: HookToHeal,
  known: HookMemory | null,
  signal: AbortSignal,
): Promise<HookMemory | null> {
  const { lastFailedId, forge, projectId, hookId } = hook;
  const seenId = BigInt(known?.seenId ?? 0);
  if (lastFailedId === null || BigInt(lastFailedId) <= seenId) return known;
  const isUnseen = ({ eventId }: Failed) => BigInt(eventId) > seenId;
  const found: Failed[] = [];
  for (let page: number | null = 1, count = 0; page !== null && count < maxPages; count += 1) {
    if (!(await hook.mayGoOn())) return known;
    const { deliveries, nextPage } = await gateway.listFailedDeliveries(forge, { projectId, hookId }, page, signal);
    found.push(...deliveries.filter(isUnseen));
    page = deliveries.every(isUnseen) ? nextPage : null;
  }
  const sinceMs = clock.nowMs() - (known === null ? Math.min(hook.reachMs, firstReachMs) : hook.reachMs);
  const isGivenUp = ({ tries }: Delivery) => tries >= maxTries;
  const all = known?.deliveries ?? [];
  const before = [...all.filter(isGivenUp).slice(-maxGivenUp), ...all.filter((one) => !isGivenUp(one))];
  const newestId = found.reduce((id, { eventId }) => (BigInt(eventId) > id ? BigInt(eventId) : id), seenId);
  return {
    projectId,
    hookId,
    seenId: String(newestId > BigInt(lastFailedId) ? newestId : BigInt(lastFailedId)),
    deliveries: [...before, ...newOf(found, before, sinceMs)].slice(0, maxRemembered),
    failuresInARow: known?.failuresInARow ?? 0,
    pausedUntilMs: known?.pausedUntilMs ?? 0,
  };
}

/** Comments before all else, and the oldest first: the sweep itself finds most of what changed. */
function newOf(found: readonly Failed[], before: readonly Delivery[], sinceMs: number): readonly Delivery[] {
  const keys = new Set(before.map(({ key }) => key));
  const wanted = found
    .filter(({ about, occurredAtMs }) => about !== 'nothing' && (occurredAtMs ?? sinceMs) >= sinceMs)
    .sort((left, right) => (BigInt(left.eventId) < BigInt(right.eventId) ? -1 : 1));
  const inOrder = [
    ...wanted.filter(({ about }) => about === 'comment'),
    ...wanted.filter(({ about }) => about !== 'comment'),
  ];
  return inOrder.flatMap(({ eventId, deliveryKey }) => {
    const key = deliveryKey ?? eventId;
    if (keys.has(key)) return []; // sent again, and failed again
    keys.add(key);
    return [{ eventId, key, tries: 0 }];
  });
}

async function sendAgain(
  { gateway, clock, log, metrics }: HealPorts,
  hook: HookToHeal,
  noted: HookMemory,
  signal: AbortSignal,
): Promise<Healed> {
  const { forge, projectId, projectPath, hookId } = hook;
  let memory = noted;
  let resends = 0;
  const facts = { forge, project: projectPath, projectId };
  const pause = (ms: number) => ({ ...memory, pausedUntilMs: Math.floor(clock.nowMs() + ms) });
  while (resends < hook.maxResends && isHealingDue(memory, clock.nowMs()) && (await hook.mayGoOn())) {
    const next = memory.deliveries.find(({ tries }) => tries < maxTries);
    if (next === undefined) break;
    const others = memory.deliveries.filter((delivery) => delivery !== next);
    resends += 1;
    try {
      const kind = await gateway.resendDelivery(forge, { projectId, hookId, eventId: next.eventId }, signal);
      if (kind !== 'failed') {
        memory = { ...memory, deliveries: others, failuresInARow: 0 };
        if (kind === 'delivered') metrics.resent('delivered');
        continue;
      }
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      const { code } = err;
      const waitMs = err instanceof TransientError ? (err.retryAfterMs ?? firstPauseMs) : longestPauseMs;
      if (code === 'forge.forbidden') log.debug({ ...facts, code, err }, 'failed deliveries cannot be sent again');
      else if (code !== 'aborted') log.warn({ ...facts, code, err }, 'failed deliveries not sent again');
      if (code !== 'aborted') memory = pause(waitMs);
      return { memory, resends, isLimited: code === 'forge.rate_limited' };
    }
    const tries = next.tries + 1;
    const failuresInARow = memory.failuresInARow + 1;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 4 ** Math.min(failuresInARow - 1, 5));
    memory = { ...pause(pauseMs), failuresInARow, deliveries: [...others, { ...next, tries }] };
    metrics.resent(tries < maxTries ? 'failed' : 'given-up');
    if (tries === maxTries) log.warn({ ...facts, deliveryId: next.key }, 'failed delivery given up');
  }
  return { memory, resends, isLimited: false };
}
