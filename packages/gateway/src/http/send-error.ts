import type { ServerResponse } from 'node:http';
import { DrydockError, toWireError, type WireError } from '@drydock/core';

/** How an error is answered everywhere but on the Messages route. Null: a bug, answered as 500 without details. */
export function errorAnswer(error: unknown): { readonly status: number; readonly body: WireError } | null {
  const wire = toWireError(error);
  if (wire === null || !(error instanceof DrydockError)) return wire;
  return { ...wire, status: statusOf(error) ?? wire.status };
}

/** What an unknown path, method or forge is told: always the same. */
export const notFoundBody: WireError = {
  error: { class: 'terminal', code: 'request.not_found', message: 'there is nothing here', retryAfterMs: null },
};

/** Sends JSON. A body that was not read to its end makes the connection useless, so it is closed. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': text.length,
    'cache-control': 'no-store',
    ...(response.req.complete ? {} : { connection: 'close' }),
  });
  response.end(text);
}

function statusOf({ code }: DrydockError): number | null {
  switch (code as string) {
    case 'request.malformed':
      return 400;
    case 'request.not_found':
      return 404;
    case 'request.too_large':
      return 413;
    case 'run.result_conflict':
      return 409;
    default:
      return null;
  }
}
