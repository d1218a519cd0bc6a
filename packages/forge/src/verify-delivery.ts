/**
 * Proof that a delivery comes from a forge that knows our secret: a signature in the manner of Standard Webhooks, or
 * GitLab's older plain token. A signature that is present must pass; there is no falling back to the token.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import { ConfigError, type Secret } from '@drydock/core';

/** The active secrets of one hook. During a rotation there are several of a kind. */
export interface DeliverySecrets {
  readonly signingKeys: readonly KeyObject[];
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
/** A SHA-256 in base64. Node's own decoder would overlook what else stands there, such as a second header's text. */
const signatureForm = /^v1,([A-Za-z0-9+/]{43}=)$/;

/** Sorts a hook's secrets: those that begin with `whsec_` sign, the others are tokens. Throws `ConfigError` on a bad one. */
export function deliverySecrets(secrets: readonly Secret[]): DeliverySecrets {
  const signingKeys: KeyObject[] = [];
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
  const proof = readProof(secrets, headers);
  return proof.kind === 'signed' ? verifySignature(secrets.signingKeys, proof, body, nowMs) : proof;
}

/**
 * What the headers alone tell, before the body is read: a delivery without proof, with a wrong token, or with what
 * cannot be a signature is refused whatever its body is. Null: the body decides.
 */
export function refuseByProof(
  secrets: DeliverySecrets,
  headers: DeliveryHeaders,
): Extract<Verified, { kind: 'refused' }> | null {
  const proof = readProof(secrets, headers);
  return proof.kind === 'refused' ? proof : null;
}

interface Signed {
  readonly kind: 'signed';
  readonly id: string;
  readonly timestamp: string;
  readonly signatures: readonly Buffer[];
}

function readProof(secrets: DeliverySecrets, { signature, id, timestamp, token }: DeliveryHeaders): Verified | Signed {
  if (signature !== undefined) {
    const signatures = readSignatures(signature);
    const isWhole = id !== undefined && id !== '' && timestamp !== undefined && /^\d{1,12}$/.test(timestamp);
    if (!isWhole || signatures.length === 0) return { kind: 'refused', why: 'bad-signature' };
    return { kind: 'signed', id, timestamp, signatures };
  }
  if (token === undefined || token === '') return { kind: 'refused', why: 'unsigned' };
  const given = sha256(token);
  const fits = secrets.tokenHashes.filter((expected) => timingSafeEqual(expected, given));
  return fits.length > 0 ? { kind: 'verified' } : { kind: 'refused', why: 'bad-token' };
}

function readSignatures(header: string): Buffer[] {
  if (header.includes(', ')) return []; // node joins a header that comes twice so
  return header
    .split(' ')
    .slice(0, maxSignatures)
    .flatMap((part) => signatureForm.exec(part)?.[1] ?? [])
    .map((text) => Buffer.from(text, 'base64'));
}

function verifySignature(
  keys: readonly KeyObject[],
  { id, timestamp, signatures }: Signed,
  body: Buffer,
  nowMs: number,
): Verified {
  let fits = false;
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
    for (const candidate of signatures) {
      if (timingSafeEqual(candidate, expected)) fits = true;
    }
  }
  if (!fits) return { kind: 'refused', why: 'bad-signature' };
  return Math.abs(nowMs - Number(timestamp) * 1000) > toleranceMs
    ? { kind: 'refused', why: 'expired' }
    : { kind: 'verified' };
}

function signingKey(base64: string): KeyObject {
  const key = Buffer.from(base64, 'base64');
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(base64);
  if (!isBase64 || key.length < 24 || key.length > 64)
    throw new ConfigError('A signing secret must be whsec_ and the base64 of 24 to 64 bytes');
  return createSecretKey(key);
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
