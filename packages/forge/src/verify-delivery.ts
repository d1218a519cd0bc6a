/**
 * Proof that a delivery comes from a forge that knows our secret: a signature in the manner of Standard Webhooks, or
 * GitLab's older plain token. A signature that is present must pass; there is no falling back to the token.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { ConfigError, type Secret } from '@drydock/core';

/** The active secrets of one hook. During a rotation there are several of a kind. */
export interface DeliverySecrets {
  readonly signingKeys: readonly Buffer[];
  /** SHA-256 of each token: equal lengths, so that the comparison tells nothing. */
  readonly tokenHashes: readonly Buffer[];
}

/** A header as node gives it; undefined when absent. */
export interface DeliveryHeaders {
  readonly signature: string | undefined;
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly token: string | undefined;
}

/** Whether a delivery is what it claims to be. */
export type Verified =
  | { readonly kind: 'verified' }
  | { readonly kind: 'refused'; readonly why: 'unsigned' | 'bad-signature' | 'expired' | 'bad-token' };

const prefix = 'whsec_';
const toleranceMs = 5 * 60_000;
const maxSignatures = 20;

/** Sorts a hook's secrets: those that begin with `whsec_` sign, the others are tokens. Throws `ConfigError` on a bad one. */
export function deliverySecrets(secrets: readonly Secret[]): DeliverySecrets {
  const signingKeys: Buffer[] = [];
  const tokenHashes: Buffer[] = [];
  for (const secret of secrets) {
    const text = secret.reveal();
    if (text.startsWith(prefix)) signingKeys.push(signingKey(text.slice(prefix.length)));
    else if (text.length >= 8) tokenHashes.push(sha256(text));
    else throw new ConfigError('A webhook token must have at least 8 characters');
  }
  if (signingKeys.length + tokenHashes.length === 0) throw new ConfigError('A webhook needs at least one secret');
  return { signingKeys, tokenHashes };
}

/** Checks a delivery over the raw bytes of its body. Takes equally long whichever secret fits. */
export function verifyDelivery(
  secrets: DeliverySecrets,
  headers: DeliveryHeaders,
  body: Buffer,
  nowMs: number,
): Verified {
  if (headers.signature !== undefined)
    return verifySignature(secrets.signingKeys, headers.signature, headers, body, nowMs);
  if (headers.token === undefined || headers.token === '') return { kind: 'refused', why: 'unsigned' };
  const given = sha256(headers.token);
  const fits = secrets.tokenHashes.filter((expected) => timingSafeEqual(expected, given));
  return fits.length > 0 ? { kind: 'verified' } : { kind: 'refused', why: 'bad-token' };
}

function verifySignature(
  keys: readonly Buffer[],
  signature: string,
  { id, timestamp }: DeliveryHeaders,
  body: Buffer,
  nowMs: number,
): Verified {
  if (id === undefined || id === '' || timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) {
    return { kind: 'refused', why: 'bad-signature' };
  }
  const given = signature
    .split(' ')
    .slice(0, maxSignatures)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice(3), 'base64'));
  let fits = false;
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
    for (const candidate of given) {
      if (candidate.length === expected.length && timingSafeEqual(candidate, expected)) fits = true;
    }
  }
  if (!fits) return { kind: 'refused', why: 'bad-signature' };
  return Math.abs(nowMs - Number(timestamp) * 1000) > toleranceMs
    ? { kind: 'refused', why: 'expired' }
    : { kind: 'verified' };
}

function signingKey(base64: string): Buffer {
  const key = Buffer.from(base64, 'base64');
  if (key.length < 24 || key.length > 64)
    throw new ConfigError('A signing secret must be whsec_ and the base64 of 24 to 64 bytes');
  return key;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
