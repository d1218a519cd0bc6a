import { z } from 'zod';
import { BlockedError, DrydockError, StaleError, TerminalError, TransientError, type ErrorCode } from './errors.ts';
import { unreachable } from './unreachable.ts';

/** An error as it crosses between processes: the class travels, so that the caller knows what to do. */
export const WireError = z.strictObject({
  error: z.strictObject({
    class: z.enum(['transient', 'terminal', 'blocked', 'stale']),
    code: z.string().max(100),
    message: z.string().max(2000),
    retryAfterMs: z.int().min(0).nullable(),
  }),
});
export type WireError = z.infer<typeof WireError>;

/** How an expected error is answered over HTTP. Null: a bug, which the caller answers as 500 without details. */
export function toWireError(error: unknown): { readonly status: number; readonly body: WireError } | null {
  if (!(error instanceof DrydockError)) return null;
  const { code, message } = error;
  const wire = (status: number, kind: WireError['error']['class'], retryAfterMs: number | null = null) => ({
    status,
    body: { error: { class: kind, code, message: message.slice(0, 2000), retryAfterMs } },
  });
  switch (error.kind) {
    case 'transient':
      return wire(503, 'transient', error instanceof TransientError ? wholeMs(error.retryAfterMs) : null);
    case 'blocked':
      return wire(424, 'blocked');
    case 'stale':
      return wire(410, 'stale');
    case 'terminal':
    case 'tool':
    case 'config':
      return wire(422, 'terminal');
    default:
      return unreachable(error.kind);
  }
}

/** Computed waits may be odd; an answer that breaks the schema would hide the error behind another. */
function wholeMs(ms: number | null): number | null {
  return ms !== null && Number.isFinite(ms) ? Math.max(0, Math.ceil(ms)) : null;
}

/** The error that a process on the other side meant. Codes are trusted: both sides are ours. */
export function fromWireError({ error }: WireError): DrydockError {
  const code = error.code as ErrorCode; // parser: the sender is a process of ours
  switch (error.class) {
    case 'transient':
      return new TransientError(code, error.message, { retryAfterMs: error.retryAfterMs });
    case 'blocked':
      return new BlockedError(code, error.message);
    case 'stale':
      return new StaleError(code, error.message);
    case 'terminal':
      return new TerminalError(code, error.message);
    default:
      return unreachable(error.class);
  }
}
