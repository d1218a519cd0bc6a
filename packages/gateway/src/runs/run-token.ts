import { createHash } from 'node:crypto';

const bytesOfToken = 32;
const form = /^ddrun_[A-Za-z0-9_-]{43}$/;

/** A new run token: 256 random bits behind a prefix by which a secret scan knows it. */
export function createRunToken(randomBytes: (size: number) => Buffer): string {
  return `ddrun_${randomBytes(bytesOfToken).toString('base64url')}`;
}

/** Whether a text can be a run token at all. */
export function isRunToken(text: string): boolean {
  return form.test(text);
}

/** What is stored in place of a token. It needs no salt: what is hashed cannot be guessed. */
export function hashRunToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
