import { BlockedError, TransientError, type DrydockError } from '@drydock/core';

/** What to say when no answer came: which component it is, why, and what to do. */
export function unreachableServer(serverUrl: string, cause: DrydockError): DrydockError {
  const { code } = cause;
  if (code === 'aborted') return cause;
  const facts = { cause };
  const where = `The server at ${serverUrl}`;
  const settings = 'See DRYDOCK_SERVER_URL and --server';
  const why = cause.message.replace(/^cannot reach the server at [^:]+(?::\d+)?: /, '');
  if (code === 'control.timeout')
    return new TransientError(
      code,
      `${where} did not answer in time: is it well (${serverUrl}/readyz), and is the address right? --timeout gives it longer. ${settings}.`,
      facts,
    );
  if (code === 'control.unreachable')
    return new TransientError(code, `${where} does not answer: ${why}. Is it running? ${settings}.`, facts);
  if (code === 'control.tls') return new BlockedError(code, `${where} cannot be trusted: ${why}.`, facts);
  return new TransientError(code, `${where} gave no good answer: ${why}. ${settings}.`, facts);
}
