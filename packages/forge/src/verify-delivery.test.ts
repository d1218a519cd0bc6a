import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, Secret } from '@drydock/core';
import fc from 'fast-check';
import { deliverySecrets, refuseByProof, verifyDelivery, type DeliveryHeaders } from './verify-delivery.ts';

const nowMs = 1_790_000_000_000;
const keyBytes = Buffer.alloc(32, 7);
const oldKeyBytes = Buffer.alloc(32, 8);
const whsec = (bytes: Buffer) => `whsec_${bytes.toString('base64')}`;
const secrets = deliverySecrets(
  [whsec(keyBytes), whsec(oldKeyBytes), 'plain-token', 'older-plain-token'].map((text) => new Secret(text)),
);
const body = Buffer.from('{"object_kind":"merge_request","title":"Größe"}');

function signed(key: Buffer, changes: Partial<DeliveryHeaders> = {}): DeliveryHeaders {
  const id = changes.id ?? 'delivery-1';
  const timestamp = changes.timestamp ?? String(nowMs / 1000);
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return { id, timestamp, signature: `v1,${mac}`, token: undefined, ...changes };
}

const unsigned = (token: string | undefined): DeliveryHeaders => ({
  id: undefined,
  timestamp: undefined,
  signature: undefined,
  token,
});

describe('verifyDelivery', () => {
  it('accepts a signature by any active key, over the raw bytes', () => {
    expect(verifyDelivery(secrets, signed(keyBytes), body, nowMs)).toEqual({ kind: 'verified' });
    expect(verifyDelivery(secrets, signed(oldKeyBytes), body, nowMs)).toEqual({ kind: 'verified' });
  });

  it('accepts one good signature among several', () => {
    const good = signed(keyBytes).signature ?? '';
    const headers = signed(keyBytes, { signature: `v1,${randomBytes(32).toString('base64')} v2,abc ${good}` });

    expect(verifyDelivery(secrets, headers, body, nowMs)).toEqual({ kind: 'verified' });
  });

  it('accepts any active token', () => {
    expect(verifyDelivery(secrets, unsigned('plain-token'), body, nowMs)).toEqual({ kind: 'verified' });
    expect(verifyDelivery(secrets, unsigned('older-plain-token'), body, nowMs)).toEqual({ kind: 'verified' });
  });

  it.each<[string, DeliveryHeaders, string]>([
    ['nothing', unsigned(undefined), 'unsigned'],
    ['an empty token', unsigned(''), 'unsigned'],
    ['a wrong token', unsigned('plain-tokem'), 'bad-token'],
    ['a token twice', unsigned('plain-token, plain-token'), 'bad-token'],
    ['a truncated token', unsigned('plain-toke'), 'bad-token'],
    ['a key of another hook', signed(Buffer.alloc(32, 9)), 'bad-signature'],
    [
      'two signature headers in one line, whatever stands in them',
      signed(keyBytes, { signature: `v1,${'A'.repeat(43)}=, ${signed(keyBytes).signature ?? ''}` }),
      'bad-signature',
    ],
    [
      'a good signature with something behind it',
      signed(keyBytes, { signature: `${signed(keyBytes).signature ?? ''},` }),
      'bad-signature',
    ],
    ['an empty signature', signed(keyBytes, { signature: '' }), 'bad-signature'],
    ['a truncated signature', signed(keyBytes, { signature: 'v1,AAAA' }), 'bad-signature'],
    [
      'an unknown version',
      signed(keyBytes, { signature: (signed(keyBytes).signature ?? '').replace('v1', 'v2') }),
      'bad-signature',
    ],
    ['another id', { ...signed(keyBytes), id: 'delivery-2' }, 'bad-signature'],
    ['no id', { ...signed(keyBytes), id: undefined }, 'bad-signature'],
    ['no timestamp', { ...signed(keyBytes), timestamp: undefined }, 'bad-signature'],
    ['a timestamp in words', signed(keyBytes, { timestamp: 'yesterday' }), 'bad-signature'],
    ['six minutes of age', signed(keyBytes, { timestamp: String(nowMs / 1000 - 360) }), 'expired'],
    ['six minutes of future', signed(keyBytes, { timestamp: String(nowMs / 1000 + 360) }), 'expired'],
    [
      'a wrong signature beside the right token',
      { ...signed(Buffer.alloc(32, 9)), token: 'plain-token' },
      'bad-signature',
    ],
  ])('refuses %s', (_name, headers, why) => {
    expect(verifyDelivery(secrets, headers, body, nowMs)).toEqual({ kind: 'refused', why });
  });

  it('refuses every body but the signed one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        fc.pre(!body.equals(bytes));

        expect(verifyDelivery(secrets, signed(keyBytes), Buffer.from(bytes), nowMs).kind).toBe('refused');
      }),
    );
  });
});

describe('refuseByProof', () => {
  it('refuses before the body is read what no body could prove', () => {
    const refused = (headers: DeliveryHeaders) => refuseByProof(secrets, headers)?.why;

    expect(refused(unsigned(undefined))).toBe('unsigned');
    expect(refused(unsigned('plain-tokem'))).toBe('bad-token');
    expect(refused(signed(keyBytes, { signature: 'v1,AAAA' }))).toBe('bad-signature');
    expect(refused({ ...signed(keyBytes), id: undefined })).toBe('bad-signature');
  });

  it('leaves it to the body where that decides, so that nobody learns of a wrong clock without a key', () => {
    expect(refuseByProof(secrets, unsigned('plain-token'))).toBeNull();
    expect(refuseByProof(secrets, signed(keyBytes))).toBeNull();
    expect(refuseByProof(secrets, signed(Buffer.alloc(32, 9), { timestamp: '1' }))).toBeNull();
  });
});

describe('deliverySecrets', () => {
  it.each([
    [[]],
    [['short']],
    [['whsec_dG9vIHNob3J0']],
    [[`${whsec(keyBytes)}"`]],
    [[`whsec_${Buffer.alloc(65).toString('base64')}`]],
  ])('refuses %j', (texts: string[]) => {
    expect(() => deliverySecrets(texts.map((text) => new Secret(text)))).toThrow(ConfigError);
  });
});
