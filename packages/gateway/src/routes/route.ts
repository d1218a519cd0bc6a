import type { Request, RequestHandler, Response } from 'express';
import { StaleError, type Clock, type Log, type ReachPoint } from '@drydock/core';
import { errorAnswer, sendJson } from '../http/send-error.ts';
import type { GatewayMetrics, RouteName } from '../metrics.ts';

/** What every route needs. */
export interface RoutePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly reach?: ReachPoint | undefined;
}

/** Answers a request; the signal ends when its client leaves. */
export type RouteHandler = (request: Request, response: Response, signal: AbortSignal) => Promise<void>;

/** Counts a route, ends its work when the client leaves, and answers its errors. */
export function route(ports: RoutePorts, name: RouteName, handler: RouteHandler): RequestHandler {
  return async (request, response) => {
    const startMs = ports.clock.monotonicMs();
    const left = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) left.abort(new StaleError('aborted', 'the client left'));
      const status = response.headersSent ? response.statusCode : 0;
      ports.metrics.answered(name, status, ports.clock.monotonicMs() - startMs);
    });
    try {
      await handler(request, response, left.signal);
    } catch (error) {
      answerError(ports.log, name, response, error);
    }
  };
}

function answerError(log: Log, name: RouteName, response: Response, error: unknown): void {
  const answer = errorAnswer(error);
  if (answer === null) log.error({ route: name, err: error }, 'request failed: a bug');
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (answer === null) sendJson(response, 500, failedBody);
  else sendJson(response, answer.status, answer.body);
}

const failedBody = {
  error: { class: 'transient', code: 'gateway.bad_answer', message: 'the gateway failed', retryAfterMs: null },
} as const;
