/** What the API answers instead of a message. @see https://platform.claude.com/docs/en/api/errors */
export interface ClaudeRefusal {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  /**
   * Whether a correct client never gets here. A wrong key, an unknown model or a prompt that is too long may happen to
   * a correct client, a malformed request may not.
   */
  readonly isViolation: boolean;
}

/** A malformed request: 400, and the test that sent it fails. */
export function invalidRequest(message: string): ClaudeRefusal {
  return { status: 400, type: 'invalid_request_error', message, isViolation: true };
}

const typesByStatus: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The error type that the API gives with a status. */
export function errorTypeOf(status: number): string {
  return typesByStatus[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

/** The body of an error, also the data of an error event inside a stream. */
export function errorBody(error: { readonly type: string; readonly message: string }, requestId: string): object {
  return { type: 'error', error: { type: error.type, message: error.message }, request_id: requestId };
}
