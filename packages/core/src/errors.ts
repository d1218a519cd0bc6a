/**
 * The class of an error says what to do about it, its `code` says what happened.
 * Vendor errors are translated in the vendor's own file, always with `cause`.
 */
export type ErrorCode =
  | `forge.${'unreachable' | 'timeout' | 'tls' | 'rate_limited' | 'unavailable' | 'conflict' | 'unauthorized' | 'forbidden' | 'not_found' | 'rejected' | 'redirected' | 'bad_answer' | 'not_ready'}`
  | `model.${'unreachable' | 'timeout' | 'tls' | 'redirected' | 'rate_limited' | 'overloaded' | 'unavailable' | 'unauthorized' | 'billing' | 'not_found' | 'rejected' | 'refused' | 'context_full' | 'stream_broken' | 'bad_answer' | 'not_allowed'}`
  | `budget.${'run_spent' | 'day_spent' | 'turns_spent' | 'time_spent'}`
  | `git.${'failed' | 'timeout' | 'output_too_large' | 'object_missing' | 'unreachable' | 'unauthorized' | 'want_refused'}`
  | `queue.${'unreachable' | 'lease_lost' | 'unsafe_store' | 'wrong_type' | 'full'}`
  | `run.${'unknown' | 'identity_refused' | 'already_exchanged' | 'revoked' | 'launch_superseded' | 'no_result' | 'result_conflict' | 'crashed' | 'timed_out' | 'incomplete' | 'cancelled'}`
  | `merge_request.${'closed' | 'head_moved' | 'gone'}`
  | `kube.${'unreachable' | 'timeout' | 'tls' | 'throttled' | 'unavailable' | 'conflict' | 'quota' | 'gone' | 'unauthorized' | 'forbidden' | 'not_found' | 'rejected' | 'denied' | 'bad_answer'}`
  | `gateway.${'unreachable' | 'timeout' | 'unauthorized' | 'no_exchange' | 'bad_answer'}`
  | `delivery.${'unsigned' | 'bad_signature' | 'expired' | 'malformed' | 'too_large' | 'wrong_type'}`
  | `request.${'malformed' | 'too_large' | 'not_found'}`
  | `control.${'unauthorized' | 'forbidden' | 'no_logs' | 'no_api' | 'unreachable' | 'timeout' | 'tls' | 'redirected' | 'bad_answer'}`
  | `tool.${'bad_input' | 'not_found' | 'refused' | 'too_large'}`
  | 'config.invalid'
  | 'aborted';

interface ErrorFacts {
  readonly cause?: unknown;
}

/** Common ground of all expected errors. Throw one of its subclasses. */
export abstract class DrydockError extends Error {
  abstract readonly kind: 'transient' | 'terminal' | 'blocked' | 'stale' | 'tool' | 'config';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.name = new.target.name;
  }
}

/** May work later: network, 408, 409, 429, 5xx. Retried by the queue's `RetryPolicy` and nowhere else. */
export class TransientError extends DrydockError {
  readonly kind = 'transient';
  /** Milliseconds that the other side asked to wait; null when it did not say. */
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts & { readonly retryAfterMs?: number | null } = {}) {
    super(code, message, facts);
    this.retryAfterMs = facts.retryAfterMs ?? null;
  }
}

/** Never will work: bad payload, 400, 422, refusal, budget spent. Becomes a dead letter, reported once. */
export class TerminalError extends DrydockError {
  readonly kind = 'terminal';
}

/** Not until a person acts: 401, a 403 that is no rate limit, billing. That forge or model pauses; its tasks are kept. */
export class BlockedError extends DrydockError {
  readonly kind = 'blocked';
}

/** No longer wanted: lease lost, head moved, merge request closed or gone. Stop, write nothing more. */
export class StaleError extends DrydockError {
  readonly kind = 'stale';
}

/** The model asked for what it may not have. Goes back to the model as text. */
export class ToolError extends DrydockError {
  readonly kind = 'tool';
}

/** A setting is wrong. The process exits at start, naming every bad setting. */
export class ConfigError extends DrydockError {
  readonly kind = 'config';

  constructor(message: string, facts: ErrorFacts & { readonly code?: ErrorCode } = {}) {
    super(facts.code ?? 'config.invalid', message, facts);
  }
}
