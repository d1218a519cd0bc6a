import { BlockedError, DrydockError, TerminalError, TransientError } from '@drydock/core';
import { z } from 'zod';

/** What the server says of a failed call. */
const Status = z.object({
  reason: z.string().default(''),
  message: z.string().default(''),
  details: z.object({ retryAfterSeconds: z.number().optional() }).optional(),
});

/** An answer that is no success, as it came. */
export interface FailedAnswer {
  readonly status: number;
  /** Seconds, or null. Kubernetes never sends a date. */
  readonly retryAfter: string | null;
  readonly body: string;
}

/** A failed call: what to throw, and whether the server may have done what it was asked. */
export interface Failure {
  readonly error: DrydockError;
  readonly status: number | null;
  readonly reason: string;
  /** `unknown`: the answer was lost or is no proof, such as a 504 after the object was written. */
  readonly effect: 'none' | 'unknown';
}

/** Longest pause that a server is believed; a proxy in front of it may ask for anything. */
const longestRetryAfterMs = 120_000;

/** What an answer means. `what` names the call, such as `create jobs`; a message of the server is kept to one line. */
export function failureOf(what: string, answer: FailedAnswer): Failure {
  const parsed = parseStatus(answer.body);
  const { reason } = parsed;
  const text = oneLine(parsed.message);
  const retryAfterMs = retryAfter(answer, parsed.details?.retryAfterSeconds);
  const message = `the API server answered ${what} with ${answer.status}${reason === '' ? '' : ` ${reason}`}${text === '' ? '' : `: ${text}`}`;
  const failure = (error: DrydockError, effect: Failure['effect'] = 'none'): Failure => ({
    error,
    status: answer.status,
    reason,
    effect,
  });
  switch (answer.status) {
    case 401:
      return failure(new BlockedError('kube.unauthorized', message));
    case 403:
      return failure(forbidden(text, message));
    case 404:
      return failure(new BlockedError('kube.not_found', message));
    case 408:
      return failure(new TransientError('kube.timeout', message, { retryAfterMs }), 'unknown');
    case 409:
      return failure(new TransientError('kube.conflict', message, { retryAfterMs }));
    case 410:
      return failure(new TransientError('kube.gone', message));
    case 429:
      return failure(new TransientError('kube.throttled', message, { retryAfterMs: retryAfterMs ?? 1000 }));
    case 504:
      return failure(new TransientError('kube.timeout', message, { retryAfterMs }), 'unknown');
    default:
      if (answer.status >= 500)
        return failure(new TransientError('kube.unavailable', message, { retryAfterMs }), 'unknown');
      return failure(new TerminalError(isDenial(text) ? 'kube.denied' : 'kube.rejected', message));
  }
}

/** A 403 has four meanings, and only its text tells them apart. */
function forbidden(text: string, message: string): DrydockError {
  if (/exceeded quota|status unknown for quota|insufficient quota/.test(text))
    return new TransientError('kube.quota', message, { retryAfterMs: null });
  if (isDenial(text)) return new TerminalError('kube.denied', message);
  return new BlockedError('kube.forbidden', message);
}

/** Said by admission webhooks, ValidatingAdmissionPolicies, Pod Security and LimitRanges. */
function isDenial(text: string): boolean {
  return /denied the request|denied request|violates PodSecurity|(maximum|minimum) \w+ usage per/.test(text);
}

const certificateCodes = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
/** Nothing was sent. */
const unsentCodes = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What a broken connection means. */
export function connectionFailure(what: string, cause: unknown): Failure {
  if (cause instanceof DrydockError) return { error: cause, status: null, reason: '', effect: 'unknown' };
  const code = codeOf(cause);
  const plain = { status: null, reason: code };
  if (certificateCodes.has(code)) {
    const message = `cannot ${what}: the certificate of the API server is not trusted (${code})`;
    return { ...plain, error: new BlockedError('kube.tls', message, { cause }), effect: 'none' };
  }
  const message = `cannot ${what}: no connection to the API server${code === '' ? '' : ` (${code})`}`;
  const error = new TransientError('kube.unreachable', message, { cause });
  return { ...plain, error, effect: unsentCodes.has(code) ? 'none' : 'unknown' };
}

/** No answer in time. */
export function timeoutFailure(what: string, timeoutMs: number): Failure {
  const error = new TransientError('kube.timeout', `the API server did not answer ${what} in ${timeoutMs} ms`);
  return { error, status: null, reason: 'timeout', effect: 'unknown' };
}

/** An answer that cannot be read, or is larger than it may be. */
export function badAnswer(what: string, why: string, cause?: unknown): TerminalError {
  return new TerminalError('kube.bad_answer', `the API server's answer to ${what} ${why}`, { cause });
}

/** `status` and `reason` of an answer or of a watch's ERROR event. */
export function parseStatus(body: string): z.infer<typeof Status> {
  try {
    return Status.parse(JSON.parse(body));
  } catch {
    return { reason: '', message: body }; // a proxy's page, or `Too many requests` as plain text
  }
}

function retryAfter({ retryAfter: header }: FailedAnswer, inBody: number | undefined): number | null {
  const seconds = header !== null && /^\d+$/.test(header) ? Number(header) : inBody;
  return seconds === undefined ? null : Math.min(seconds * 1000, longestRetryAfterMs);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 500);
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}
