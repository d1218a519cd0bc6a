import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Secret } from '@drydock/core';

/** Whether a request carries one of the tokens. The time it takes tells nothing of them. */
export function hasToken(tokens: readonly Secret[], { authorization }: IncomingHttpHeaders): boolean {
  const given = digest(/^Bearer (\S{1,500})$/i.exec(authorization ?? '')?.[1] ?? '');
  let isKnown = false;
  for (const token of tokens) {
    if (timingSafeEqual(given, digest(token.reveal()))) isKnown = true;
  }
  return isKnown;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
