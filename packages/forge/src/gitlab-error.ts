import { BlockedError, TerminalError, TransientError, type DrydockError } from '@drydock/core';
import type { HttpResponse } from '@drydock/http';
import { GitLabProblem } from './gitlab-schema.ts';

const minuteMs = 60_000;
const longestWaitMs = 60 * minuteMs;
/** GitLab before 2025 often answers 429 without saying for how long. */
const unsaidWaitMs = minuteMs;
const maxMessageCharacters = 300;

/** The error that an answer other than 2xx means. `nowMs` is wall-clock time, which the headers speak of. */
export function gitLabError(response: HttpResponse, nowMs: number): DrydockError {
  const { status } = response;
  const said = whatGitLabSays(response);
  if (isRateLimit(response, said)) {
    const retryAfterMs = rateLimitWait(response, nowMs);
    return new TransientError('forge.rate_limited', `GitLab asks to slow down (${status})`, { retryAfterMs });
  }
  switch (status) {
    case 401:
      return new BlockedError(
        'forge.unauthorized',
        'GitLab refuses the token (401): it is wrong, expired or revoked. Make a new one with the scope "api"',
      );
    case 403:
      return new BlockedError(
        'forge.forbidden',
        `GitLab forbids this (403): the token's scopes or its user's role do not allow it${said}`,
      );
    case 404:
      return new TerminalError('forge.not_found', `GitLab does not know this, or does not show it to us (404)${said}`);
    case 408:
      return new TransientError('forge.timeout', 'GitLab gave up on the request (408)', facts(response, nowMs));
    case 409:
    case 423:
      return new TransientError(
        'forge.conflict',
        `GitLab is at work on this (${status})${said}`,
        facts(response, nowMs),
      );
    default:
      return status >= 500
        ? new TransientError('forge.unavailable', `GitLab failed (${status})`, facts(response, nowMs))
        : new TerminalError('forge.rejected', `GitLab rejects this (${status})${said}`);
  }
}

/** An answer that is not what the documentation promises. */
export function badAnswer(what: string): TransientError {
  return new TransientError(
    'forge.bad_answer',
    `GitLab's answer is ${what}. Is there a sign-in page or proxy before its API?`,
  );
}

function facts(response: HttpResponse, nowMs: number) {
  return { retryAfterMs: retryAfter(response, nowMs) };
}

function isRateLimit({ status, headers }: HttpResponse, said: string): boolean {
  return status === 429 || (status === 403 && ('retry-after' in headers || /rate limit|retry later/i.test(said)));
}

/** Milliseconds that `Retry-After` tells to wait, never more than an hour; null: it does not say. */
function retryAfter({ headers }: HttpResponse, nowMs: number): number | null {
  const after = headers['retry-after']?.trim() ?? '';
  const waitMs = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - nowMs;
  return Number.isFinite(waitMs) ? bounded(waitMs) : null;
}

/** Without `Retry-After` at least a minute; the layer that tells when its window ends may not be the one that refused. */
function rateLimitWait(response: HttpResponse, nowMs: number): number {
  const resetMs = Number(response.headers['ratelimit-reset'] ?? NaN) * 1000 - nowMs;
  const unsaidMs = bounded(Math.max(unsaidWaitMs, Number.isFinite(resetMs) ? resetMs : 0));
  return retryAfter(response, nowMs) ?? unsaidMs;
}

function bounded(waitMs: number): number {
  return Math.min(Math.max(waitMs, 1000), longestWaitMs);
}

/** GitLab's own words, cut and on one line: they may repeat what was sent, so nobody's whole text comes back in them. */
function whatGitLabSays({ body, headers }: HttpResponse): string {
  if (!/^application\/json\b/.test(headers['content-type'] ?? '') || body.length > 100_000) return '';
  let said: unknown;
  try {
    const problem = GitLabProblem.parse(JSON.parse(body.toString('utf8')));
    said = problem.message ?? problem.error;
  } catch {
    return ''; // what an error says is a courtesy; the status decides
  }
  if (said === undefined) return '';
  const text = typeof said === 'string' ? said : JSON.stringify(said);
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return `: ${line.slice(0, maxMessageCharacters)}`;
}
