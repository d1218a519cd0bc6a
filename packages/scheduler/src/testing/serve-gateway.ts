import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  DrydockError,
  RunRequest,
  RunsQuery,
  StateRequest,
  TerminalError,
  toWireError,
  type MergeRequestRef,
} from '@drydock/core';
import type { WorldGateway } from './world-gateway.ts';

/** A gateway over HTTP: the control protocol in front of a world, and the one route of an agent that ends a run. */
export interface ServedGateway extends AsyncDisposable {
  readonly url: string;
}

export const controlToken = 'control-token-canary';
const runTokenPrefix = 'run-token-canary-of-';

/** Serves a world on loopback. Agents hand in a review with `PUT /run/v1/result` and their token. */
export async function serveGateway(world: WorldGateway): Promise<ServedGateway> {
  const server = createServer((request, response) => {
    const left = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) left.abort();
    });
    answer(world, request, left.signal).then(
      (body) => {
        if (body === null) response.writeHead(204).end();
        else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      (error: unknown) => {
        const wire = error instanceof DrydockError ? toWireError(error) : null;
        response.writeHead(wire?.status ?? 500).end(JSON.stringify(wire?.body ?? {}));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(world: WorldGateway, request: IncomingMessage, signal: AbortSignal): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const body: unknown = text === '' ? null : JSON.parse(text);
  const bearer = (request.headers.authorization ?? '').replace('Bearer ', '');
  const parts = (request.url ?? '').split('/').slice(1);
  if (parts[0] === 'run') {
    world.submitReview(bearer.slice(runTokenPrefix.length));
    return { v: 1, stored: true };
  }
  if (bearer !== controlToken) throw new TerminalError('request.not_found', 'wrong token');
  const [, , things, first = '', second = '', third = ''] = parts;
  const ref: MergeRequestRef = { forge: first, projectId: second, iid: Number(third) };
  switch (`${String(request.method)} ${String(things)}`) {
    case 'GET merge-requests':
      return world.readMergeRequest(ref, signal);
    case 'PUT merge-requests':
      return world.writeState(ref, StateRequest.parse(body), signal);
    case 'GET members':
      return world.readMember(ref, third, signal);
    case 'POST runs': {
      if (first === '') {
        const grant = await world.startRun(RunRequest.parse(body), signal);
        return grant.kind === 'granted' ? { ...grant, token: `${runTokenPrefix}${grant.runId}` } : grant;
      }
      if (first === 'over') return { v: 1, over: await world.overRuns(RunsQuery.parse(body).runIds, signal) };
      if (second === 'publish') return world.publishRun(first, signal);
      await world.revokeRun(first, signal);
      return null;
    }
    case 'GET runs': {
      const run = await world.readRun(first, signal);
      if (run === null) throw new TerminalError('run.unknown', 'no such run is known');
      return run;
    }
    default:
      throw new TerminalError('request.not_found', 'there is nothing here');
  }
}
