import { errorTypeOf } from './claude-error.ts';

/** What can go wrong with one request. Event counts are of SSE events, bytes of the streamed body. */
export type ClaudeFault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly type: string;
      readonly message: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** In place of the JSON body. */
      readonly html?: string;
    }
  /** `event: error` after the answer has begun. */
  | { readonly kind: 'error-event'; readonly afterEvents: number; readonly type: string; readonly message: string }
  /** The connection ends inside the body. */
  | { readonly kind: 'cut'; readonly atByte: number }
  /** After some events only pings, or nothing at all, until the client leaves. */
  | { readonly kind: 'silence'; readonly afterEvents: number; readonly pingEveryMs: number | null }
  /** Every event waits. */
  | { readonly kind: 'slow'; readonly gapMs: number }
  /** No byte of an answer until the client leaves. */
  | { readonly kind: 'hang' }
  /** The connection ends before the answer begins. */
  | { readonly kind: 'reset' }
  /** An event whose data is no JSON. */
  | { readonly kind: 'malformed-event'; readonly afterEvents: number }
  /** Without regard to `max_tokens`: so many bytes of text deltas, or of one single event. */
  | { readonly kind: 'huge'; readonly bytes: number; readonly shape: 'deltas' | 'event' };

const html = (title: string) => `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;

/** The faults of the reference, each as the API words it. */
export const claudeFault = {
  /** Any status with the type that the API gives it. */
  status: (status: number, message: string, headers: Readonly<Record<string, string>> = {}): ClaudeFault => ({
    kind: 'status',
    status,
    type: errorTypeOf(status),
    message,
    headers,
  }),
  invalidRequest: (message = 'messages.0.content.0.text: Input should be a valid string') =>
    claudeFault.status(400, message),
  spendLimit: () =>
    claudeFault.status(
      400,
      'You have reached your specified API usage limits. You will regain access on 2030-01-01 at 00:00 UTC.',
    ),
  creditTooLow: () =>
    claudeFault.status(
      400,
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
    ),
  promptTooLong: () => claudeFault.status(400, 'prompt is too long: 1000001 tokens > 1000000 maximum'),
  unauthorized: () => claudeFault.status(401, 'invalid x-api-key'),
  billing: () => claudeFault.status(402, 'There is an issue with your billing or payment information.'),
  forbidden: () => claudeFault.status(403, 'Your API key does not have permission to use the specified resource.'),
  notFound: (model = 'claude-unknown') => claudeFault.status(404, `model: ${model}`),
  requestTimeout: () => claudeFault.status(408, 'Request timed out.', { 'x-should-retry': 'true' }),
  conflict: () => claudeFault.status(409, 'Conflict', { 'x-should-retry': 'true' }),
  /** As the edge answers it: no JSON. */
  tooLarge: (): ClaudeFault => ({
    kind: 'status',
    status: 413,
    type: 'request_too_large',
    message: '',
    html: html('413 Request Entity Too Large'),
  }),
  /** `retryAfterSeconds` null: the header is absent. */
  rateLimited: (retryAfterSeconds: number | null = 1) =>
    claudeFault.status(
      429,
      "This request would exceed your organization's rate limit of 50,000 input tokens per minute.",
      retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds), 'x-should-retry': 'true' },
    ),
  serverError: () => claudeFault.status(500, 'Internal server error', { 'x-should-retry': 'true' }),
  gatewayTimeout: () => claudeFault.status(504, 'Request timed out.', { 'x-should-retry': 'true' }),
  overloaded: () => claudeFault.status(529, 'Overloaded', { 'x-should-retry': 'true' }),
  /** A 502 of something in between: no JSON. */
  badGateway: (): ClaudeFault => ({
    kind: 'status',
    status: 502,
    type: 'api_error',
    message: '',
    html: html('502 Bad Gateway'),
  }),
  errorEvent: (afterEvents: number, type = 'overloaded_error', message = 'Overloaded'): ClaudeFault => ({
    kind: 'error-event',
    afterEvents,
    type,
    message,
  }),
  cut: (atByte: number): ClaudeFault => ({ kind: 'cut', atByte }),
  silence: (afterEvents: number, pingEveryMs: number | null = null): ClaudeFault => ({
    kind: 'silence',
    afterEvents,
    pingEveryMs,
  }),
  slow: (gapMs: number): ClaudeFault => ({ kind: 'slow', gapMs }),
  hang: (): ClaudeFault => ({ kind: 'hang' }),
  reset: (): ClaudeFault => ({ kind: 'reset' }),
  malformedEvent: (afterEvents: number): ClaudeFault => ({ kind: 'malformed-event', afterEvents }),
  huge: (bytes: number, shape: 'deltas' | 'event' = 'deltas'): ClaudeFault => ({ kind: 'huge', bytes, shape }),
};
