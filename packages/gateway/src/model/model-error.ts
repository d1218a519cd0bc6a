/**
 * What an answer of the model's server means, and how an agent is told: in Anthropic's shape, with the class and code
 * of `modelErrorHeaders` beside it. What the server says about our account stays here.
 * @see https://platform.claude.com/docs/en/api/errors
 */
import {
  BlockedError,
  DrydockError,
  TerminalError,
  TransientError,
  modelErrorHeaders,
  type ErrorCode,
} from '@drydock/core';
import { z } from 'zod';

const spendLimit = /credit balance|usage limits|spend(?:ing)? limit/i;
const promptTooLong = /prompt is too long|context (?:window|length|limit)|too many (?:input )?tokens/i;

const ErrorBody = z.object({ error: z.object({ message: z.string() }) });

/** The error behind a status that is no success. `body` is the answer's text, JSON or not. */
export function modelErrorOf(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
  nowMs: number,
): DrydockError {
  const message = messageOf(body);
  const retryAfterMs = readRetryAfterMs(headers, nowMs);
  if (status < 500 && spendLimit.test(message)) {
    return new BlockedError('model.billing', 'the account of the model has reached its spend limit');
  }
  switch (status) {
    case 401:
      return new BlockedError('model.unauthorized', 'the server of the model refused our key');
    case 402:
      return new BlockedError('model.billing', 'the server of the model wants to be paid');
    case 403:
      return new BlockedError('model.unauthorized', 'our key may not use this model');
    case 404:
      return new BlockedError('model.not_found', 'the server of the model does not know this model or address');
    case 408:
      return new TransientError('model.timeout', 'the model did not answer in time', { retryAfterMs });
    case 409:
      return new TransientError('model.unavailable', 'the server of the model asks to try again', { retryAfterMs });
    case 413:
      return new TerminalError('model.context_full', 'the request is too large for the server of the model');
    case 429:
      return new TransientError('model.rate_limited', 'the model is rate limited', { retryAfterMs });
    case 529:
      return new TransientError('model.overloaded', 'the model is overloaded', { retryAfterMs });
    default:
      break;
  }
  if (status >= 500) {
    return new TransientError('model.unavailable', `the server of the model answered ${String(status)}`, {
      retryAfterMs,
    });
  }
  if (promptTooLong.test(message)) return new TerminalError('model.context_full', message.slice(0, 300));
  return new TerminalError('model.rejected', `the server of the model refused the request: ${message.slice(0, 500)}`);
}

function messageOf(body: string): string {
  try {
    const parsed = ErrorBody.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data.error.message : '';
  } catch {
    return '';
  }
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date; null when it is absent or makes no sense. */
function readRetryAfterMs(headers: Readonly<Record<string, string>>, nowMs: number): number | null {
  const inMs = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(inMs) && inMs >= 0) return Math.ceil(inMs);
  const text = headers['retry-after'];
  if (text === undefined || text === '') return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return seconds >= 0 ? Math.ceil(seconds * 1000) : null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

/** An error as an agent is sent it. */
export interface ModelErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How an error is told on the Messages route. Our own credential being refused is never a 401: that is the agent's. */
export function modelErrorAnswer(error: DrydockError): ModelErrorAnswer {
  const [status, type] = error instanceof BlockedError ? ([424, 'permission_error'] as const) : shapeOf(error.code);
  return answer(status, type, error);
}

/** The token is not good (any more). */
export function unauthorizedAnswer(error: DrydockError): ModelErrorAnswer {
  return answer(401, 'authentication_error', error);
}

/** An error after the answer began, as an event of the stream. */
export function modelErrorEvent(error: DrydockError): string {
  const [, type] = shapeOf(error.code);
  // The blank lines end an event that broke off in the middle.
  return `\n\nevent: error\ndata: ${bodyOf(type, error.message)}\n\n`;
}

function answer(status: number, type: string, error: DrydockError): ModelErrorAnswer {
  const retryAfterMs = error instanceof TransientError ? error.retryAfterMs : null;
  return {
    status,
    headers: {
      'content-type': 'application/json',
      [modelErrorHeaders.class]: classOf(error),
      [modelErrorHeaders.code]: error.code,
      'x-should-retry': 'false',
      ...(retryAfterMs === null ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
    },
    body: bodyOf(type, error.message),
  };
}

function bodyOf(type: string, message: string): string {
  return JSON.stringify({ type: 'error', error: { type, message } });
}

function classOf({ kind }: DrydockError): string {
  return kind === 'tool' || kind === 'config' ? 'terminal' : kind;
}

const shapes: Readonly<Partial<Record<ErrorCode, readonly [status: number, type: string]>>> = {
  'model.rate_limited': [429, 'rate_limit_error'],
  'model.overloaded': [529, 'overloaded_error'],
  'model.timeout': [504, 'timeout_error'],
  'model.not_allowed': [403, 'permission_error'],
  'model.rejected': [400, 'invalid_request_error'],
  'model.context_full': [400, 'invalid_request_error'],
  'request.malformed': [400, 'invalid_request_error'],
  'request.too_large': [413, 'request_too_large'],
  'budget.run_spent': [402, 'billing_error'],
  'budget.day_spent': [402, 'billing_error'],
};

function shapeOf(code: ErrorCode): readonly [status: number, type: string] {
  return shapes[code] ?? [503, 'api_error'];
}
