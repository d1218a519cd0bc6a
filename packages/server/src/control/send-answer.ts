import { toWireError, type WireError } from '@drydock/core';
import type { Response } from 'express';
import { cutOff } from '../cut-off.ts';

const failedBody: WireError = {
  error: {
    class: 'terminal',
    code: 'control.failed',
    message: 'the server failed: its log says why',
    retryAfterMs: null,
  },
};

/** Sends what an error means; of a store's error only the code, for its message may hold an address. */
export function sendError(response: Response, error: unknown, status?: number): number {
  const wire = toWireError(error) ?? { status: 500, body: failedBody };
  const { code } = wire.body.error;
  const body: WireError = code.startsWith('queue.')
    ? {
        error: {
          ...wire.body.error,
          message: 'the store of the queue does not answer or refuses: see the log of the server',
        },
      }
    : wire.body;
  const sent = status ?? statuses.get(code) ?? wire.status;
  if (sent === 503) response.setHeader('retry-after', '10');
  sendText(response, sent, JSON.stringify(body));
  return sent;
}

const statuses: ReadonlyMap<string, number> = new Map([
  ['control.unauthorized', 401],
  ['control.forbidden', 403],
  ['request.malformed', 400],
  ['request.not_found', 404],
  ['request.too_large', 413],
]);

/** Sends JSON. */
export function sendText(response: Response, status: number, text: string): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(text);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(response.req.complete ? {} : { connection: 'close' }),
  });
  if (response.req.complete) response.end(bytes);
  else cutOff(response.req, response, bytes);
}
