import { describe, expect, it } from '@jest/globals';
import { BlockedError, StaleError, TerminalError, TransientError } from './errors.ts';
import { WireError, fromWireError, toWireError } from './wire-error.ts';

describe('WireError', () => {
  it.each([
    new TransientError('forge.rate_limited', 'slow down', { retryAfterMs: 1500 }),
    new TerminalError('forge.rejected', 'no'),
    new BlockedError('forge.unauthorized', 'token refused'),
    new StaleError('merge_request.head_moved', 'a newer head'),
  ])('carries $name over the wire', (error) => {
    const wire = toWireError(error);

    const received = fromWireError(WireError.parse(JSON.parse(JSON.stringify(wire?.body))));

    expect(received).toEqual(error);
    expect(received.code).toBe(error.code);
  });

  it.each([
    [1500.4, 1501],
    [-3, 0],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
  ])('carries a wait of %p ms in a form that the other side takes', (retryAfterMs, expected) => {
    const wire = toWireError(new TransientError('forge.rate_limited', 'slow down', { retryAfterMs }));

    expect(WireError.parse(wire?.body).error.retryAfterMs).toBe(expected);
  });

  it('cuts a long message', () => {
    const wire = toWireError(new TerminalError('forge.rejected', 'x'.repeat(5000)));

    expect(WireError.parse(wire?.body).error.message).toHaveLength(2000);
  });

  it('tells nothing of a bug', () => {
    expect(toWireError(new TypeError('secret detail'))).toBeNull();
  });
});
