import { APIConnectionError, APIConnectionTimeoutError, APIError } from '@anthropic-ai/sdk/core/error';
import {
  BlockedError,
  DrydockError,
  TerminalError,
  TransientError,
  WireError,
  fromWireError,
  modelErrorHeaders,
} from '@drydock/core';

/**
 * What an error of the SDK means. The gateway says class and code in headers; without them (a proxy in between, a test
 * against the API itself) the status must do. Anything that is no error of a model call is returned as it is: a bug.
 */
export function translateAnthropicError(cause: unknown): unknown {
  if (cause instanceof DrydockError) return cause;
  if (cause instanceof APIConnectionTimeoutError) {
    return new TransientError('model.timeout', 'the model did not begin to answer in time', { cause });
  }
  if (cause instanceof APIConnectionError) {
    return new TransientError('gateway.unreachable', 'the gateway could not be reached for a model call', { cause });
  }
  if (cause instanceof APIError) return fromApiError(cause as APIError); // parser: the class's own defaults
  return isBrokenStream(cause)
    ? new TransientError('model.stream_broken', "the model's answer broke off", { cause })
    : cause;
}

function fromApiError(error: APIError): DrydockError {
  const { status, headers } = error;
  // Without a status it is an event inside a stream that had begun well: no tool has run, the turn is sent again.
  if (status === undefined) return fromEvent(error);
  const retryAfterMs = readRetryAfterMs(headers);
  const wire = WireError.safeParse({
    error: {
      class: headers?.get(modelErrorHeaders.class),
      code: headers?.get(modelErrorHeaders.code),
      message: error.apiMessage ?? `the gateway answered ${status}`,
      retryAfterMs,
    },
  });
  return wire.success ? fromWireError(wire.data) : fromStatus(status, error, retryAfterMs);
}

function fromEvent(cause: APIError): DrydockError {
  const code = cause.type === 'overloaded_error' ? 'model.overloaded' : 'model.stream_broken';
  return new TransientError(code, `the model's answer ended in an error of type ${cause.type ?? 'unknown'}`, { cause });
}

const promptTooLong = /prompt is too long|context (?:window|length|limit)/i;
const spendLimit = /credit balance|usage limits|spend(?:ing)? limit/i;

function fromStatus(status: number, cause: APIError, retryAfterMs: number | null): DrydockError {
  const message = `the model call was answered with ${status}`;
  const said = cause.apiMessage ?? '';
  if (status === 400 && promptTooLong.test(said)) return new TerminalError('model.context_full', message, { cause });
  if (status === 402 || spendLimit.test(said)) return new BlockedError('model.billing', message, { cause });
  if (status === 401 || status === 403) return new BlockedError('model.unauthorized', message, { cause });
  if (status === 404) return new BlockedError('model.not_found', message, { cause });
  if (status === 413) return new TerminalError('request.too_large', message, { cause });
  if (status === 429) return new TransientError('model.rate_limited', message, { cause, retryAfterMs });
  if (status === 529) return new TransientError('model.overloaded', message, { cause, retryAfterMs });
  if (status === 408 || status === 409 || status >= 500) {
    return new TransientError('model.unavailable', message, { cause, retryAfterMs });
  }
  return new TerminalError('model.rejected', message, { cause });
}

function readRetryAfterMs(headers: Headers | undefined): number | null {
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.ceil(seconds * 1000) : null;
}

/** What fetch and the SDK throw when a body breaks off, is no JSON, or is more than was allowed. */
function isBrokenStream(cause: unknown): boolean {
  return cause instanceof SyntaxError || cause instanceof TypeError;
}
