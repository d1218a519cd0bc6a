import { TransientError, type Log } from '@drydock/core';
import type { HttpStream } from '@drydock/http';
import { callUpstream, type UpstreamPorts } from './call-upstream.ts';
import type { ModelSettings } from './model-settings.ts';

/** A call that is checked and paid for. */
export interface UpstreamCall {
  readonly runId: string;
  readonly model: string;
  readonly isStreamed: boolean;
  /** The body. */
  readonly json: string;
  /** Of the allow-list. */
  readonly betas: readonly string[];
  readonly signal: AbortSignal;
}

/** Sends a call with our key until the model begins to answer it, in the form that was asked for. */
export async function openAnswer(
  ports: Omit<UpstreamPorts, 'onFailure'> & { readonly log: Log },
  settings: ModelSettings,
  { runId, model, isStreamed, json, betas, signal }: UpstreamCall,
): Promise<HttpStream> {
  const upstream = await callUpstream(
    {
      ...ports,
      onFailure: (error, delayMs) => {
        const facts = { runId, model, code: error.code };
        if (error.kind === 'blocked') ports.log.error({ ...facts, err: error }, 'model refuses our credential');
        else if (delayMs !== null) ports.log.warn({ ...facts, delayMs }, 'model call will be repeated');
      },
    },
    {
      method: 'POST',
      url: `${settings.baseUrl.replace(/\/+$/, '')}/v1/messages`,
      headers: upstreamHeaders(settings, betas),
      body: json,
      signal,
      timeoutMs: settings.callTimeoutMs,
      maxBytes: settings.maxAnswerBytes,
    },
    { isStreamed, retries: settings.retries },
  );
  const type = (upstream.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== (isStreamed ? 'text/event-stream' : 'application/json')) {
    await leave(upstream);
    throw new TransientError('model.bad_answer', 'what answers at the address of the model does not speak Messages');
  }
  return upstream;
}

/** Closes the connection of an answer that nobody wants: a body ends when its loop is left. */
async function leave({ body }: HttpStream): Promise<void> {
  const chunks = body[Symbol.asyncIterator]();
  await chunks.next().catch(() => undefined);
  await chunks.return?.();
}

function upstreamHeaders({ apiKey }: ModelSettings, betas: readonly string[]): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'anthropic-version': '2023-06-01', // another one is another version in answer-key.ts
    'user-agent': 'drydock-gateway',
    ...(apiKey === null ? {} : { 'x-api-key': apiKey.reveal() }),
    ...(betas.length === 0 ? {} : { 'anthropic-beta': betas.join(',') }),
  };
}
