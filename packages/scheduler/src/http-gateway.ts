import {
  BlockedError,
  ConfigError,
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
  RunsOver,
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
import { GatewayTransport, type GatewayCall } from './gateway-transport.ts';
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

/** The gateway over HTTP. It never retries: the queue does. Throws `ConfigError` for a token that no header can carry. */
export class HttpGateway implements Gateway, SweepGateway {
  readonly #settings: HttpGatewaySettings;
  readonly #transport: GatewayTransport;

  constructor(settings: HttpGatewaySettings) {
    // An error about a bad header would repeat it, and with it the token.
    if (!/^[\x21-\x7e]+$/.test(settings.controlToken.reveal())) {
      throw new ConfigError('Wrong settings:\n  DRYDOCK_CONTROL_TOKEN: must be printable ASCII without spaces');
    }
    this.#settings = settings;
    this.#transport = new GatewayTransport(settings.url, settings.controlToken);
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
    return this.#ask({ method: 'POST', path: '/control/v1/runs', body, ...this.#long }, RunGrant, signal);
  }

  readRun(runId: string, signal: AbortSignal): Promise<RunView | null> {
    const call: GatewayCall = { method: 'GET', path: `/control/v1/runs/${runId}`, timeoutMs: this.#settings.timeoutMs };
    return this.#ask(call, RunView, signal).catch((error: unknown) => {
      if (error instanceof TerminalError && error.code === 'run.unknown') return null;
      throw error;
    });
  }

  async overRuns(runIds: readonly string[], signal: AbortSignal): Promise<RunsOver['over']> {
    const call: GatewayCall = {
      method: 'POST',
      path: '/control/v1/runs/over',
      body: { v: 1, runIds },
      timeoutMs: this.#settings.timeoutMs,
    };
    return (await this.#ask(call, RunsOver, signal)).over;
  }

  async revokeRun(runId: string, signal: AbortSignal): Promise<void> {
    const call: GatewayCall = {
      method: 'POST',
      path: `/control/v1/runs/${runId}/revoke`,
      timeoutMs: this.#settings.timeoutMs,
    };
    await this.#ask(call, z.null(), signal);
  }

  publishRun(runId: string, signal: AbortSignal): Promise<Publication> {
    const call: GatewayCall = {
      method: 'POST',
      path: `/control/v1/runs/${runId}/publish`,
      ...this.#long,
    };
    return this.#ask(call, Publication, signal);
  }

  /** The review of a run as data, checked as it would be published. */
  reportRun(runId: string, signal: AbortSignal): Promise<ReviewReport> {
    const path = `/control/v1/runs/${runId}/report`;
    return this.#ask({ method: 'GET', path, ...this.#long }, ReviewReport, signal);
  }

  /** Progress after a sequence number, oldest first; none of an unknown run. */
  async readProgress(runId: string, after: number, signal: AbortSignal): Promise<readonly ProgressEntry[]> {
    const path = `/control/v1/runs/${runId}/progress?after=${String(after)}`;
    const call: GatewayCall = { method: 'GET', path, timeoutMs: this.#settings.timeoutMs };
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
    const call: GatewayCall = { method: 'POST', path, timeoutMs: this.#settings.timeoutMs };
    return (await this.#ask(call, ResendReport, signal)).kind;
  }

  get #long() {
    return { timeoutMs: this.#settings.longTimeoutMs, isLong: true };
  }

  async #ask<T>(call: GatewayCall, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const { status, text } = await this.#transport.send(call, signal);
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
}

function queryOf(query: Readonly<Record<string, string | number | null>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null) given.set(name, String(value));
  return given.size === 0 ? '' : `?${given.toString()}`;
}

function mergeRequestPath(ref: MergeRequestRef): string {
  return `/control/v1/merge-requests/${ref.forge}/${ref.projectId}/${String(ref.iid)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
