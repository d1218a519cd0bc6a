import type { Log } from '@drydock/core';
import { z } from 'zod';
import type { QueueAudit } from './task-queue.ts';

/** The order of the walk: what is whole again takes back what was parked, before it is looked for. */
const walks = ['aside', 'parked', 'waiting', 'leased', 'running', 'publishing'] as const;

/** One command of Redis looks at no more. */
const mostLookedAt = 100;

/** Where a slice begins: in which walk, at which score, and how many of that score were seen. */
export interface AuditPlace {
  readonly what: (typeof walks)[number];
  readonly score: string;
  readonly seen: number;
}

type Found = 'foreign' | 'mended' | 'aside' | 'placed' | 'unparked' | 'parked';

interface SliceFound {
  readonly next: { readonly score: string; readonly seen: number } | null;
  readonly findings: readonly { readonly what: Found; readonly name: string }[];
}

const Cursor = z
  .string()
  .transform((text) => text.split(' '))
  .pipe(z.tuple([z.enum(walks), z.string(), z.string().regex(/^\d+$/).transform(Number)]))
  .transform(([what, score, seen]): AuditPlace => ({ what, score, seen }));

/** One slice of an audit; all that it finds is told. */
export async function auditQueue(
  look: (slice: { readonly place: AuditPlace; readonly mostLookedAt: number }) => Promise<SliceFound>,
  cursor: string | null,
  log: Log,
): Promise<QueueAudit> {
  const place = cursor === null ? beginningOf(walks[0]) : Cursor.parse(cursor);
  const { next, findings } = await look({ place, mostLookedAt });
  for (const { what, name } of findings) tell(log, what, name);
  const healed = findings.filter(({ what }) => isHealed(what)).length;
  const following = next === null ? afterwards(place) : { ...place, ...next };
  return {
    healed,
    broken: findings.length - healed,
    cursor: following === null ? null : `${following.what} ${following.score} ${String(following.seen)}`,
  };
}

function beginningOf(what: AuditPlace['what']): AuditPlace {
  return { what, score: '-inf', seen: 0 };
}

function afterwards({ what }: AuditPlace): AuditPlace | null {
  const following = walks[walks.indexOf(what) + 1];
  return following === undefined ? null : beginningOf(following);
}

function isHealed(what: Found): boolean {
  return what === 'mended' || what === 'placed' || what === 'unparked';
}

const phrases: Readonly<Record<Found, string>> = {
  foreign: 'a key of ours holds something else',
  mended: 'leased from again',
  aside: 'not leased from',
  placed: 'task stood nowhere and has its place again',
  unparked: 'parked task taken back',
  parked: 'task parked',
};

function tell(log: Log, what: Found, name: string): void {
  const facts = what === 'foreign' || what === 'mended' || what === 'aside' ? { place: name } : { taskId: name };
  if (isHealed(what)) log.warn(facts, phrases[what]);
  else log.error(facts, phrases[what]);
}
