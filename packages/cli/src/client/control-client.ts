import {
  CancelAnswer,
  ConfigError,
  DeadLettersReplayed,
  DrydockError,
  EventList,
  LogPage,
  ParkedList,
  PauseAnswer,
  PauseEventList,
  PauseList,
  ProjectSummaryPage,
  ResumeAnswer,
  RetryAnswer,
  TaskDetail,
  TaskPage,
  TerminalError,
  controlPaths,
  type DeadLetterFilter,
  type PauseScope,
  type TaskId,
  type TaskState,
} from '@drydock/core';
import type { HttpResponse } from '@drydock/http';
import type { z } from 'zod';
import { answerProblem } from './answer-problem.ts';
import type { ClientSettings } from './client-settings.ts';
import { createTransport } from './create-transport.ts';
import type { Transport } from './plain-transport.ts';
import { unreachableServer } from './unreachable-server.ts';

/** Which page of tasks. */
export interface TaskPageRequest {
  readonly states?: readonly TaskState[];
  readonly forge?: string;
  readonly project?: string;
  readonly iid?: number;
  readonly limit: number;
  readonly cursor: string | null;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | null | undefined>>;
  readonly body?: unknown;
}

const maxAnswerBytes = 32 * 1024 * 1024;

/**
 * The control API of the server. Null as an answer: there is no such task. All else that goes wrong is a `DrydockError`
 * whose message names the server and says what to do.
 */
export class ControlClient {
  readonly #settings: ClientSettings;
  readonly #signal: AbortSignal;
  readonly #transport: Transport;
  /** A server that is older than we are may refuse to be asked to wait for entries of a log. */
  #canWait = true;

  private constructor(settings: ClientSettings, transport: Transport, signal: AbortSignal) {
    this.#settings = settings;
    this.#transport = transport;
    this.#signal = signal;
  }

  /** Makes a client; nothing is sent yet. */
  static async create(settings: ClientSettings, signal: AbortSignal): Promise<ControlClient> {
    return new ControlClient(settings, await createTransport(settings), signal);
  }

  async tasks({ states, forge, project, iid, limit, cursor }: TaskPageRequest): Promise<TaskPage> {
    const query = { state: states?.join(','), forge, project, iid, limit, cursor };
    return await this.#must({ method: 'GET', path: controlPaths.tasks, query }, TaskPage);
  }

  async task(taskId: TaskId): Promise<TaskDetail | null> {
    return await this.#ask({ method: 'GET', path: controlPaths.task(taskId) }, TaskDetail);
  }

  async events(taskId: TaskId): Promise<EventList | null> {
    return await this.#ask({ method: 'GET', path: controlPaths.events(taskId) }, EventList);
  }

  /**
   * `attempt` null: the last one. Throws `request.not_found`, which says whether it is the task or the attempt. The server
   * waits for an entry for `waitMs`, or less where we would not, and not at all where it is too old to know of waiting.
   */
  async logs(
    taskId: TaskId,
    { waitMs = 0, ...query }: { readonly attempt: number | null; readonly after: number; readonly waitMs?: number },
  ): Promise<LogPage> {
    const ask = async (wait: { readonly waitMs?: number }) =>
      await this.#must({ method: 'GET', path: controlPaths.logs(taskId), query: { ...query, ...wait } }, LogPage);
    if (waitMs === 0 || !this.#canWait) return await ask({});
    try {
      return await ask({ waitMs: Math.floor(Math.min(waitMs, this.#settings.timeoutMs / 2)) });
    } catch (error) {
      if (!(error instanceof DrydockError) || error.code !== 'request.malformed') throw error;
    }
    const page = await ask({});
    this.#canWait = false;
    return page;
  }

  async retry(taskId: TaskId): Promise<RetryAnswer | null> {
    return await this.#ask({ method: 'POST', path: controlPaths.retry(taskId) }, RetryAnswer);
  }

  async cancel(taskId: TaskId): Promise<CancelAnswer | null> {
    return await this.#ask({ method: 'POST', path: controlPaths.cancel(taskId) }, CancelAnswer);
  }

  async replay(step: {
    readonly filter: DeadLetterFilter;
    readonly limit: number;
    readonly isDryRun: boolean;
    readonly cursor: string | null;
  }): Promise<DeadLettersReplayed> {
    return await this.#must(
      { method: 'POST', path: controlPaths.replay, body: { v: 1, ...step } },
      DeadLettersReplayed,
    );
  }

  async projects(query: { readonly limit: number; readonly cursor: string | null }): Promise<ProjectSummaryPage> {
    return await this.#must({ method: 'GET', path: controlPaths.projects, query }, ProjectSummaryPage);
  }

  async pauses(): Promise<PauseList> {
    return await this.#must({ method: 'GET', path: controlPaths.pauses }, PauseList);
  }

  async pauseEvents(): Promise<PauseEventList> {
    return await this.#must({ method: 'GET', path: controlPaths.pauseEvents }, PauseEventList);
  }

  async parked(): Promise<ParkedList> {
    return await this.#must({ method: 'GET', path: controlPaths.parked }, ParkedList);
  }

  async pause(scope: PauseScope, why: string): Promise<PauseAnswer> {
    return await this.#must({ method: 'PUT', path: controlPaths.pauses, body: { v: 1, scope, why } }, PauseAnswer);
  }

  async resume(scope: PauseScope): Promise<ResumeAnswer> {
    return await this.#must({ method: 'DELETE', path: controlPaths.pauses, query: scope }, ResumeAnswer);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  /** Null: there is no such task. */
  async #ask<Answer>(call: Call, schema: z.ZodType<Answer>): Promise<Answer | null> {
    try {
      return await this.#must(call, schema);
    } catch (error) {
      if (error instanceof DrydockError && error.code === 'request.not_found') return null;
      throw error;
    }
  }

  async #must<Answer>(call: Call, schema: z.ZodType<Answer>): Promise<Answer> {
    const response = await this.#send(call);
    if (response.status !== 200) throw answerProblem(this.#settings.serverUrl, response);
    let value: unknown;
    try {
      value = JSON.parse(response.body.toString('utf8'));
    } catch (cause) {
      throw this.#badAnswer('what answers there is not Drydock: it sent no JSON', cause);
    }
    const parsed = schema.safeParse(value, { reportInput: false });
    if (parsed.success) return parsed.data;
    const [first] = parsed.error.issues;
    const what = first === undefined ? '' : ` (${first.path.map(String).join('.')}: ${first.message})`.slice(0, 200);
    throw this.#badAnswer(
      `this drydock does not understand its answer${what}: are both of one version? Compare drydock --version`,
    );
  }

  async #send({ method, path, query = {}, body }: Call): Promise<HttpResponse> {
    const { serverUrl, token } = this.#settings;
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) search.set(name, String(value));
    }
    const text = search.size === 0 ? '' : `?${search.toString()}`;
    try {
      return await this.#transport.request({
        method,
        url: `${serverUrl}${path}${text}`,
        headers: {
          authorization: `Bearer ${token.reveal()}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: this.#signal,
        maxBytes: maxAnswerBytes,
      });
    } catch (error) {
      if (error instanceof ConfigError || !(error instanceof DrydockError)) throw error;
      throw unreachableServer(serverUrl, error);
    }
  }

  #badAnswer(why: string, cause?: unknown): TerminalError {
    return new TerminalError('control.bad_answer', `The server at ${this.#settings.serverUrl} answers, but ${why}.`, {
      cause,
    });
  }
}
