/**
 * A stored answer as a file: a line `drydock-answer-1 <key> <SHA-256 of the body> <bytes of the body>`, then the body.
 * The line tells a file that was cut, changed, or put under another name; nothing of the request stands in it.
 */
import { createHash } from 'node:crypto';
import { maxStoredAnswerBytes, type StoredAnswer } from './answer-store.ts';

/** Larger files are none of ours. */
export const maxAnswerFileBytes = maxStoredAnswerBytes + 256;

/** The bytes of a file. */
export function encodeAnswer(key: string, { body }: StoredAnswer): Buffer {
  return Buffer.concat([Buffer.from(headOf(key, body)), body]);
}

/** The answer in a file; null when it is not whole or not the one of this key. */
export function decodeAnswer(key: string, bytes: Buffer): StoredAnswer | null {
  const end = bytes.indexOf('\n');
  if (end < 0) return null;
  const body = bytes.subarray(end + 1);
  return bytes.toString('latin1', 0, end + 1) === headOf(key, body) ? { body } : null;
}

function headOf(key: string, body: Buffer): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return `drydock-answer-1 ${key} ${digest} ${String(body.length)}\n`;
}
