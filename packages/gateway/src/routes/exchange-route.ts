import type { Request } from 'express';
import { ExchangeRequest, Secret, StaleError, TransientError } from '@drydock/core';
import { exchangeToken, type ExchangePorts } from '../exchange/exchange-token.ts';
import { parseBody, readJson } from '../http/read-json.ts';
import { errorAnswer, sendJson } from '../http/send-error.ts';
import { Slots } from '../http/slots.ts';
import type { RouteHandler } from './route.ts';

const maxBodyBytes = 32 * 1024;
const timeoutMs = 15_000;

/** A JSON Web Token by its form; the API server judges it. */
const identityForm = /^Bearer ([\w-]{1,1000}\.[\w-]{1,8000}\.[\w-]{1,2000})$/i;

/**
 * Answers pods that exchange their identity. Who asks is known only once the API server was asked, so that few do at
 * once, and fewer from one address.
 */
export function exchangeRoute(ports: ExchangePorts): RouteHandler {
  const slots = new Slots({ total: 16, perKey: 2 });
  return async (request, response, clientLeft) => {
    const identity = identityForm.exec(request.headers.authorization ?? '')?.[1];
    if (identity === undefined) {
      sendJson(response, 401, errorAnswer(new StaleError('run.identity_refused', 'no identity of a pod'))?.body);
      return;
    }
    const signal = AbortSignal.any([clientLeft, AbortSignal.timeout(timeoutMs)]);
    try {
      const answer = await slots.use(addressOf(request), signal, async () => {
        const wanted = parseBody(ExchangeRequest, await readJson(request, maxBodyBytes));
        return await exchangeToken(ports, new Secret(identity), wanted, signal);
      });
      sendJson(response, 200, answer);
    } catch (error) {
      if (error instanceof StaleError && !clientLeft.aborted) sendJson(response, 401, errorAnswer(error)?.body);
      else if (signal.aborted)
        throw new TransientError('gateway.timeout', 'the exchange took too long', { cause: error });
      else throw error;
    }
  };
}

function addressOf({ socket }: Request): string {
  return socket.remoteAddress ?? '';
}
