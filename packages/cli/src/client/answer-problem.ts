import {
  BlockedError,
  ConfigError,
  TerminalError,
  TransientError,
  WireError,
  fromWireError,
  type DrydockError,
} from '@drydock/core';
import type { HttpResponse } from '@drydock/http';
import { cellText } from '../print/cell-text.ts';

/** What an answer that is no success means, in words for people. `request.not_found`: there is no such task or attempt. */
export function answerProblem(serverUrl: string, { status, headers, body }: HttpResponse): DrydockError {
  const wire = readWireError(body);
  const where = `The server at ${serverUrl}`;
  if (status >= 300 && status < 400)
    return new TerminalError(
      'control.redirected',
      `${where} redirects ${targetOf(headers['location'], serverUrl)} (${String(status)}), which is not followed: the token would go there too. Set DRYDOCK_SERVER_URL to its final address.`,
    );
  if (status === 401)
    return new ConfigError(
      `${where} does not know this token. Set DRYDOCK_TOKEN or DRYDOCK_TOKEN_FILE to one of its DRYDOCK_VIEWER_TOKENS or DRYDOCK_ADMIN_TOKENS (what follows the colon).`,
      { code: 'control.unauthorized' },
    );
  if (status === 403)
    return new BlockedError(
      'control.forbidden',
      `${where} lets this token only look. To change something, use one of its DRYDOCK_ADMIN_TOKENS.`,
    );
  if (wire === null && status === 404)
    return new TerminalError(
      'control.no_api',
      `${where} answers, but has no control API. It is off until DRYDOCK_VIEWER_TOKENS or DRYDOCK_ADMIN_TOKENS is set there; or the address in DRYDOCK_SERVER_URL is not the server's.`,
    );
  if (wire === null)
    return new TransientError(
      'control.bad_answer',
      `${where} answered ${String(status)} without a reason of Drydock's: is something else there, or a proxy in front of it? Its log may tell more.`,
    );
  const { code } = fromWireError(wire);
  const message = `${where} answers: ${cellText(wire.error.message)} (${cellText(wire.error.code)})`;
  if (code === 'request.malformed' && /is not known here/.test(wire.error.message))
    return new TerminalError(
      code,
      `${message}. It is older than this drydock: upgrade the server, or use a drydock of its version.`,
    );
  switch (wire.error.class) {
    case 'transient':
      return new TransientError(code, `${message}. ${retryWords(wire.error.retryAfterMs)}`);
    case 'blocked':
      return new BlockedError(code, message);
    case 'stale':
    case 'terminal':
      return new TerminalError(code, message);
  }
}

function retryWords(retryAfterMs: number | null): string {
  return retryAfterMs === null ? 'Try again later.' : `Try again in ${String(Math.ceil(retryAfterMs / 1000))} s.`;
}

function readWireError(body: Buffer): WireError | null {
  try {
    const parsed = WireError.safeParse(JSON.parse(body.toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Only where to: a location may hold a secret in its query. */
function targetOf(location: string | undefined, from: string): string {
  const url = location === undefined ? null : URL.parse(location, from);
  return url === null || url.host === '' ? 'elsewhere' : `to ${url.protocol}//${url.host}`;
}
