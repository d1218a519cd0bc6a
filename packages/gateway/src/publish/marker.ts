/**
 * Hidden comments by which we know our own notes again. The forge is the store of what was published; a marker makes
 * an entry of it.
 *
 *   <!-- drydock:<kind>:1:<key id>:<payload>:<mac> -->
 *
 * The payload is JSON in base64 (never its URL variant: two dashes would end the comment). The MAC covers kind, forge,
 * project, merge request and payload, so a marker copied elsewhere is worth nothing. It is believed only in a note of
 * our own account, and there only the last one: text that we render cannot hold `<!--`, and what a person might add is
 * not signed.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Category, Severity, Sha, Side, type MergeRequestRef, type Secret } from '@drydock/core';
import { z } from 'zod';

/** What a comment says about its finding, enough to know it again and to see whether its code is gone. */
export const FindingMark = z.strictObject({
  identity: z.string().regex(/^[0-9a-f]{64}$/),
  /** On the head's side, or on the base's for a finding about removed lines. */
  path: z.string().max(4096),
  side: Side,
  category: Category,
  severity: Severity,
  title: z.string().max(500),
  codeHash: z.string().max(64),
  /** Lines of normalised code under the hash. */
  codeLines: z.int().min(0),
  headSha: Sha,
  attempt: z.int().min(1),
});
export type FindingMark = z.infer<typeof FindingMark>;

/** What the summary note says. */
export const SummaryMark = z.strictObject({
  state: z.enum(['reviewing', 'done', 'partial', 'skipped', 'failed', 'over-budget']),
  headSha: Sha.nullable(),
  baseSha: Sha.nullable(),
  /** Beginnings of the identities of all findings that have got a thread: one without a thread was deleted by a person. */
  posted: z.array(z.string().regex(/^[0-9a-f]{16}$/)).max(2000),
});
export type SummaryMark = z.infer<typeof SummaryMark>;

const schemas = { finding: FindingMark, summary: SummaryMark } as const;
interface Marks {
  readonly finding: FindingMark;
  readonly summary: SummaryMark;
}

interface MarkerKey {
  /** Derived from the key, so that nobody has to name keys. */
  readonly id: string;
  readonly secret: Secret;
}

/** Keys of markers: the first signs, all verify. A key that is dropped makes us post its comments again. */
export interface MarkerKeys {
  readonly signing: MarkerKey;
  readonly all: readonly MarkerKey[];
}

/** Keys in the order of the setting, newest first; at least one. */
export function markerKeys(secrets: readonly Secret[]): MarkerKeys {
  const all = secrets.map((secret) => ({ id: keyId(secret), secret }));
  const [signing] = all;
  if (signing === undefined) throw new Error('at least one marker key is needed');
  return { signing, all };
}

/** The marker as a line of its own. */
export function writeMark<Kind extends keyof Marks>(
  keys: MarkerKeys,
  ref: MergeRequestRef,
  kind: Kind,
  mark: Marks[Kind],
): string {
  const payload = Buffer.from(JSON.stringify(schemas[kind].parse(mark))).toString('base64');
  const { id, secret } = keys.signing;
  return `<!-- drydock:${kind}:1:${id}:${payload}:${mac(secret, ref, kind, payload).toString('base64')} -->`;
}

/** The last marker of this kind in one of our own notes; null when it has none that we signed for this merge request. */
export function readMark<Kind extends keyof Marks>(
  keys: MarkerKeys,
  ref: MergeRequestRef,
  kind: Kind,
  body: string,
): Marks[Kind] | null {
  return readMarks(keys, ref, kind, body).at(-1) ?? null;
}

/** All of them: the summary note carries one for each finding in it. */
export function readMarks<Kind extends keyof Marks>(
  keys: MarkerKeys,
  ref: MergeRequestRef,
  kind: Kind,
  body: string,
): Marks[Kind][] {
  const pattern = new RegExp(`<!-- drydock:${kind}:1:([0-9a-f]{8}):([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+) -->`, 'g');
  return [...body.matchAll(pattern)].flatMap(([, id = '', payload = '', given = '']) => {
    const key = keys.all.find((candidate) => candidate.id === id);
    if (key === undefined || !isSame(mac(key.secret, ref, kind, payload), Buffer.from(given, 'base64'))) return [];
    const parsed = schemas[kind].safeParse(JSON.parse(Buffer.from(payload, 'base64').toString('utf8')));
    return parsed.success ? [parsed.data as Marks[Kind]] : []; // parser: the schema is the kind's own
  });
}

/** The text without any marker, as people read it. */
export function withoutMarks(body: string): string {
  return body.replace(/\n*<!-- drydock:[a-z]+:1:[0-9a-f]{8}:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+ -->/g, '').trimEnd();
}

/** How an identity stands in a summary's list. */
export function shortIdentity(identity: string): string {
  return identity.slice(0, 16);
}

function mac(secret: Secret, { forge, projectId, iid }: MergeRequestRef, kind: string, payload: string): Buffer {
  const message = ['drydock-marker-1', kind, forge, projectId, String(iid), payload].join('\n');
  return createHmac('sha256', secret.reveal()).update(message).digest();
}

function keyId(secret: Secret): string {
  return createHash('sha256').update(`drydock-marker-key-id\n${secret.reveal()}`).digest('hex').slice(0, 8);
}

function isSame(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
