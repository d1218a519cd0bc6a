import {
  BlockedError,
  ConfigError,
  DrydockError,
  FailedDeliveryPage,
  HookReport,
  Member,
  MergeRequest,
  OpenMergeRequestPage,
  ProgressPage,
  ProjectPage,
  ResendReport,
  Publication,
  ReviewReport,
  RunGrant,
  RunView,
  StateWritten,
  TerminalError,
  TransientError,
  WireError,
  fromWireError,
  type MergeRequestRef,
  type ProgressEntry,
  type Secret,
} from '@drydock/core';
import { z } from 'zod';
import type { Gateway } from './gateway.ts';
import type { OpenMergeRequestQuery, SweepGateway } from './sweep/sweep-gateway.ts';

/** Where the gateway is and how we prove to it who we are. */
export interface HttpGatewaySettings {
  readonly url: string;
  readonly controlToken: Secret;
  /** Limit of an ordinary call. */
  readonly timeoutMs: number;
  /** Limit of starting a run (the gateway may fetch a repository) and of publishing (many calls to the forge). */
  readonly longTimeoutMs: number;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
}

const maxAnswerBytes = 16 * 1024 * 1024;

/** The gateway over HTTP. It never retries: the queue does. Throws `ConfigError` for a token that no header can carry. */
export class HttpGateway implements Gateway, SweepGateway {
  readonly #settings: HttpGatewaySettings;

  constructor(settings: HttpGatewaySettings) {
    // An error about a bad header would repeat it, and with it the token.
    if (!/^[\x21-\x7e]+$/.test(settings.controlToken.reveal())) {
      throw new ConfigError('Wrong settings:\n  DRYDOCK_CONTROL_TOKEN: must be printable ASCII without spaces');
    }
    this.#settings = settings;
  }

  readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<MergeRequest> {
    return this.#ask(
      { method: 'GET', path: mergeRequestPath(ref), timeoutMs: this.#settings.timeoutMs },
      MergeRequest,
      signal,
    );
  }

  readMember(ref: MergeRequestRef, userId: string, signal: AbortSignal): Promise<Member> {
    const path = `/control/v1/members/${ref.forge}/${ref.projectId}/${encodeURIComponent(userId)}`;
    return this.#ask({ method: 'GET', path, timeoutMs: this.#settings.timeoutMs }, Member, signal);
  }

  writeState(ref: MergeRequestRef, body: unknown, signal: AbortSignal): Promise<StateWritten> {
    const path = `${mergeRequestPath(ref)}/state`;
    return this.#ask({ method: 'PUT', path, body, timeoutMs: this.#settings.timeoutMs }, StateWritten, signal);
  }

  startRun(body: unknown, signal: AbortSignal): Promise<RunGrant> {
    return this.#ask(
      { method: 'POST', path: '/control/v1/runs', body, timeoutMs: this.#settings.longTimeoutMs },
      RunGrant,
      signal,
    );
  }

  readRun(runId: string, signal: AbortSignal): Promise<RunView | null> {
    const call: Call = { method: 'GET', path: `/control/v1/runs/${runId}`, timeoutMs: this.#settings.timeoutMs };
    return this.#ask(call, RunView, signal).catch((error: unknown) => {
      if (error instanceof TerminalError && error.code === 'run.unknown') return null;
      throw error;
    });
  }

  async revokeRun(runId: string, signal: AbortSignal): Promise<void> {
    const call: Call = {
      method: 'POST',
      path: `/control/v1/runs/${runId}/revoke`,
      timeoutMs: this.#settings.timeoutMs,
    };
    await this.#ask(call, z.null(), signal);
  }

  publishRun(runId: string, signal: AbortSignal): Promise<Publication> {
    const call: Call = {
      method: 'POST',
      path: `/control/v1/runs/${runId}/publish`,
      timeoutMs: this.#settings.longTimeoutMs,
    };
    return this.#ask(call, Publication, signal);
  }

  /** The review of a run as data, checked as it would be published. */
  reportRun(runId: string, signal: AbortSignal): Promise<ReviewReport> {
    const path = `/control/v1/runs/${runId}/report`;
    return this.#ask({ method: 'GET', path, timeoutMs: this.#settings.longTimeoutMs }, ReviewReport, signal);
  }

  /** Progress after a sequence number, oldest first; none of an unknown run. */
  async readProgress(runId: string, after: number, signal: AbortSignal): Promise<readonly ProgressEntry[]> {
    const path = `/control/v1/runs/${runId}/progress?after=${String(after)}`;
    const call: Call = { method: 'GET', path, timeoutMs: this.#settings.timeoutMs };
    return (await this.#ask(call, ProgressPage, signal)).entries;
  }

  listProjects(forge: string, cursor: string | null, signal: AbortSignal): Promise<ProjectPage> {
    const path = `/control/v1/projects/${forge}${queryOf({ cursor })}`;
    return this.#ask({ method: 'GET', path, timeoutMs: this.#settings.timeoutMs }, ProjectPage, signal);
  }

  listOpenMergeRequests(
    forge: string,
    query: OpenMergeRequestQuery,
    signal: AbortSignal,
  ): Promise<OpenMergeRequestPage> {
    const path = `/control/v1/open-merge-requests/${forge}${queryOf({ ...query })}`;
    return this.#ask({ method: 'GET', path, timeoutMs: this.#settings.timeoutMs }, OpenMergeRequestPage, signal);
  }

  readHooks(forge: string, projectId: string, signal: AbortSignal): Promise<HookReport> {
    const path = `/control/v1/hooks/${forge}/${projectId}`;
    return this.#ask({ method: 'GET', path, timeoutMs: this.#settings.timeoutMs }, HookReport, signal);
  }

  listFailedDeliveries(
    forge: string,
    { projectId, hookId }: { readonly projectId: string; readonly hookId: string },
    page: number,
    signal: AbortSignal,
  ): Promise<FailedDeliveryPage> {
    const path = `/control/v1/hooks/${forge}/${projectId}/${hookId}/failures?page=${String(page)}`;
    return this.#ask({ method: 'GET', path, timeoutMs: this.#settings.timeoutMs }, FailedDeliveryPage, signal);
  }

  async resendDelivery(
    forge: string,
    delivery: { readonly projectId: string; readonly hookId: string; readonly eventId: string },
    signal: AbortSignal,
  ): Promise<ResendReport['kind']> {
    const { projectId, hookId, eventId } = delivery;
    const path = `/control/v1/hooks/${forge}/${projectId}/${hookId}/failures/${eventId}/resend`;
    const call: Call = { method: 'POST', path, timeoutMs: this.#settings.timeoutMs };
    return (await this.#ask(call, ResendReport, signal)).kind;
  }

  async #ask<T>(call: Call, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const { status, text } = await this.#send(call, signal);
    const answer = parseJson(text);
    if (status === 200 || status === 204) {
      const parsed = schema.safeParse(answer);
      if (parsed.success) return parsed.data;
      throw new TransientError('gateway.bad_answer', 'the gateway gave an answer of another shape', {
        cause: parsed.error,
      });
    }
    if (status === 401)
      throw new BlockedError(
        'gateway.unauthorized',
        'the gateway refused our control token: is DRYDOCK_CONTROL_TOKEN the same on both sides?',
      );
    const error = WireError.safeParse(answer);
    if (error.success) throw fromWireError(error.data);
    const isAway = status === 502 || status === 503 || status === 504; // said by what stands before it
    throw new TransientError(
      isAway ? 'gateway.unreachable' : 'gateway.bad_answer',
      `the gateway answered ${String(status)}`,
    );
  }

  async #send(call: Call, signal: AbortSignal): Promise<{ status: number; text: string }> {
    using limit = limitOf(signal, call.timeoutMs);
    const headers: Record<string, string> = { authorization: `Bearer ${this.#settings.controlToken.reveal()}` };
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    try {
      const response = await fetch(new URL(call.path, this.#settings.url), {
        method: call.method,
        headers,
        body: call.body === undefined ? null : JSON.stringify(call.body),
        redirect: 'manual', // the token must not go elsewhere
        signal: limit.signal,
      });
      return { status: response.status, text: await readCapped(response) };
    } catch (cause) {
      if (signal.aborted) throw cause;
      if (limit.signal.aborted)
        throw new TransientError('gateway.timeout', `the gateway did not answer within ${String(call.timeoutMs)} ms`, {
          cause,
        });
      if (cause instanceof DrydockError) throw cause;
      throw new TransientError('gateway.unreachable', `the gateway at ${this.#settings.url} cannot be reached`, {
        cause,
      });
    }
  }
}

/** As `AbortSignal.any` with a timeout, but that nothing is left of it when the call has ended: thousands wait. */
function limitOf(signal: AbortSignal, timeoutMs: number): Disposable & { readonly signal: AbortSignal } {
  const limit = new AbortController();
  const abort = () => {
    limit.abort();
  };
  const timer = setTimeout(abort, timeoutMs);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return {
    signal: limit.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    },
  };
}

function queryOf(query: Readonly<Record<string, string | number | null>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null) given.set(name, String(value));
  return given.size === 0 ? '' : `?${given.toString()}`;
}

function mergeRequestPath(ref: MergeRequestRef): string {
  return `/control/v1/merge-requests/${ref.forge}/${ref.projectId}/${String(ref.iid)}`;
}

async function readCapped(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes)
      throw new TransientError('gateway.bad_answer', 'the gateway gave an answer that is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
