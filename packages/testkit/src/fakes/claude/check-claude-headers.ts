import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ClaudeRefusal } from './claude-error.ts';
import { errorTypeOf, invalidRequest } from './claude-error.ts';

/** The key, the version, and no beta that the fake does not know. A wrong key beside the right one is refused too. */
export function checkClaudeHeaders(headers: IncomingHttpHeaders, url: URL, apiKey: string): ClaudeRefusal | null {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const keys = [headers['x-api-key'], bearer].flat().filter((key) => key !== undefined);
  if (keys.length === 0) return unauthorized('x-api-key header is required', true);
  if (!keys.every((key) => isSameKey(key, apiKey))) return unauthorized('invalid x-api-key', false);
  const version = headers['anthropic-version'];
  if (version === undefined) return invalidRequest('anthropic-version: header is required');
  if (version !== '2023-06-01' && version !== '2026-10-21')
    return invalidRequest(`anthropic-version: "${String(version)}" is not a valid version`);
  const beta = headers['anthropic-beta'] ?? (url.searchParams.has('beta') ? '?beta' : undefined);
  if (beta === undefined) return null;
  return invalidRequest(`Unexpected value(s) \`${String(beta)}\` for the \`anthropic-beta\` header.`);
}

function unauthorized(message: string, isViolation: boolean): ClaudeRefusal {
  return { status: 401, type: errorTypeOf(401), message, isViolation };
}

function isSameKey(left: string, right: string): boolean {
  const [leftBytes, rightBytes] = [Buffer.from(left), Buffer.from(right)];
  return leftBytes.length === rightBytes.length && timingSafeEqual(leftBytes, rightBytes);
}
