/** The control API as the commands' tests need it: strict, in memory, and as bad as a test wants it. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  CancelAnswer,
  DeadLetterReplay,
  DeadLettersReplayed,
  EventList,
  LogPage,
  LogQuery,
  PageQuery,
  ParkedList,
  PauseAnswer,
  PauseEventList,
  PauseList,
  PauseRequest,
  PauseScope,
  ProjectSummaryPage,
  ResumeAnswer,
  RetryAnswer,
  TaskDetail,
  TaskPage,
  TaskQuery,
  compileGlob,
  runIdOf,
  type ParkedItem,
  type Pause,
  type PauseEvent,
  type ProgressEntry,
  type ProjectSummary,
  type TaskSummary,
} from '@drydock/core';
import { z } from 'zod';

export const adminToken = 'admin-canary-0123456789';
export const viewerToken = 'viewer-canary-0123456789';
/** The server's time, from which ages are counted. */
export const nowMs = Date.UTC(2026, 10, 21, 15, 0, 0);

/** Takes an answer into its own hands; true: it did. */
type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface FakeControlApi extends AsyncDisposable {
  readonly url: string;
  tasks: TaskSummary[];
  projects: ProjectSummary[];
  pauses: Pause[];
  pauseEvents: PauseEvent[];
  parked: ParkedItem[];
  logs: ProgressEntry[];
  isLogOver: boolean;
  misbehave: Misbehaviour | null;
  /** Method and address of each request. */
  readonly seen: string[];
}

/** A task as a test names it. */
export function aTask(iid: number, differences: Partial<TaskSummary> = {}): TaskSummary {
  return {
    taskId: `review:gitlab:42:${String(iid)}`,
    kind: 'review',
    subject: { forge: 'gitlab', projectId: '42', iid },
    projectPath: 'shop/api',
    state: 'waiting',
    trigger: 'pushed',
    headSha: 'a1b2c3d4e5'.repeat(4),
    attempt: 0,
    failures: 0,
    isDirty: false,
    queuedAtMs: nowMs - 312_000,
    readyAtMs: nowMs + 5000,
    outcome: null,
    endedAtMs: null,
    lastError: null,
    ...differences,
  };
}

/** A task that failed three times and is retried no more. */
export function aDeadLetter(iid: number, differences: Partial<TaskSummary> = {}): TaskSummary {
  return aTask(iid, {
    state: 'dead',
    attempt: 3,
    failures: 3,
    readyAtMs: null,
    endedAtMs: nowMs - 7_200_000,
    outcome: { kind: 'dead', why: 'model.unavailable' },
    lastError: { code: 'model.unavailable', message: 'the model server answered 503' },
    ...differences,
  });
}

/** Starts it on a free port. */
export async function startFakeControlApi(port = 0): Promise<FakeControlApi> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    fake.seen.push(`${String(request.method)} ${String(request.url)}`);
    if (fake.misbehave?.(request, response) === true) return;
    void answer(fake, request, response).catch((error: unknown) => {
      send(response, 500, { unexpected: String(error) });
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const fake: FakeControlApi = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    tasks: [],
    projects: [],
    pauses: [],
    pauseEvents: [],
    parked: [],
    logs: [],
    isLogOver: true,
    misbehave: null,
    seen: [],
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

async function answer(fake: FakeControlApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (token !== adminToken && token !== viewerToken) {
    refuse(response, 401, 'control.unauthorized', 'no such token');
    return;
  }
  if (request.method !== 'GET' && token !== adminToken) {
    refuse(response, 403, 'control.forbidden', 'this token may only look');
    return;
  }
  const url = new URL(request.url ?? '', fake.url);
  const query: Record<string, string> = Object.fromEntries(url.searchParams);
  const body = await bodyOf(request);
  const [, taskId, part] = /^\/api\/v1\/tasks\/([^/]+)(?:\/(\w+))?$/.exec(url.pathname) ?? [];
  const route = taskId === undefined ? url.pathname.slice('/api/v1/'.length) : `task/${part ?? ''}`;
  const result = answers(fake, `${String(request.method)} ${route}`, { taskId: taskId ?? '', query, body });
  if (result === null) refuse(response, 404, 'request.not_found', 'there is no such task');
  else send(response, 200, result);
}

interface Asked {
  readonly taskId: string;
  readonly query: Record<string, string>;
  readonly body: unknown;
}

function answers(fake: FakeControlApi, route: string, { taskId, query, body }: Asked): object | null {
  const task = fake.tasks.find((one) => one.taskId === taskId);
  switch (route) {
    case 'GET tasks': {
      const { state, forge, project, iid, limit, cursor } = TaskQuery.parse(query);
      const matches = project === undefined ? () => true : projectFilter(project);
      const wanted = fake.tasks.filter(
        (one) =>
          (state === undefined || state.includes(one.state)) &&
          (forge === undefined || one.subject.forge === forge) &&
          (iid === undefined || one.subject.iid === iid) &&
          matches(one),
      );
      const { page, next } = pageOf(wanted, limit, cursor);
      return TaskPage.parse({ v: 1, nowMs, tasks: page, cursor: next });
    }
    case 'GET task/':
      z.strictObject({}).parse(query);
      return task === undefined ? null : TaskDetail.parse(detailOf(task));
    case 'GET task/events':
      return task === undefined ? null : EventList.parse({ v: 1, nowMs, taskId, events: detailOf(task).events });
    case 'GET task/logs': {
      const { attempt = 2, after } = LogQuery.parse(query);
      const entries = fake.logs.filter(({ seq }) => seq > after).slice(0, 2);
      const isOver = fake.isLogOver && entries.length === 0;
      const runId = runIdOf(taskId, attempt);
      return task === undefined ? null : LogPage.parse({ v: 1, nowMs, taskId, attempt, runId, entries, isOver });
    }
    case 'POST task/retry':
      if (task === undefined) return null;
      if (task.state === 'running' || task.state === 'waiting') return RetryAnswer.parse({ v: 1, kind: task.state });
      change(fake, taskId, { state: 'waiting', outcome: null, endedAtMs: null, trigger: 'manual' });
      return RetryAnswer.parse({ v: 1, kind: 'queued' });
    case 'POST task/cancel': {
      if (task === undefined) return null;
      if (task.endedAtMs !== null) return CancelAnswer.parse({ v: 1, kind: 'ended' });
      if (task.state !== 'waiting') return CancelAnswer.parse({ v: 1, kind: 'cancelling' });
      change(fake, taskId, { state: 'cancelled', endedAtMs: nowMs });
      return CancelAnswer.parse({ v: 1, kind: 'cancelled' });
    }
    case 'POST dead-letters/retry': {
      const { filter, limit, isDryRun, cursor } = DeadLetterReplay.parse(body);
      const matches = filter.project === undefined ? () => true : projectFilter(filter.project);
      const wanted = fake.tasks.filter(
        (one) =>
          one.state === 'dead' &&
          (filter.forge === undefined || one.subject.forge === filter.forge) &&
          (filter.code === undefined || one.lastError?.code === filter.code) &&
          matches(one),
      );
      const { page, next } = pageOf(wanted, Math.min(limit, 3), isDryRun ? (cursor ?? undefined) : undefined);
      if (!isDryRun) for (const one of page) change(fake, one.taskId, { state: 'waiting', endedAtMs: null });
      return DeadLettersReplayed.parse({ v: 1, isDryRun, retried: page.map((one) => one.taskId), cursor: next });
    }
    case 'GET projects': {
      const { limit, cursor } = PageQuery.parse(query);
      const { page, next } = pageOf(fake.projects, limit, cursor);
      return ProjectSummaryPage.parse({ v: 1, projects: page, cursor: next });
    }
    case 'GET pauses':
      return PauseList.parse({ v: 1, nowMs, pauses: fake.pauses });
    case 'GET pauses/events':
      return PauseEventList.parse({ v: 1, nowMs, events: fake.pauseEvents });
    case 'GET parked':
      return ParkedList.parse({ v: 1, nowMs, parked: fake.parked });
    case 'PUT pauses': {
      const { scope, why } = PauseRequest.parse(body);
      if (fake.pauses.some((one) => isSame(one.scope, scope))) return PauseAnswer.parse({ v: 1, kind: 'already' });
      fake.pauses.push({ scope, why, by: 'ann', atMs: nowMs });
      return PauseAnswer.parse({ v: 1, kind: 'paused' });
    }
    case 'DELETE pauses': {
      const scope = PauseScope.parse(query);
      const left = fake.pauses.filter((one) => !isSame(one.scope, scope));
      const kind = left.length < fake.pauses.length ? 'resumed' : 'absent';
      fake.pauses = left;
      return ResumeAnswer.parse({ v: 1, kind });
    }
    default:
      throw new Error(`unexpected: ${route}`);
  }
}

function projectFilter(pattern: string): (task: TaskSummary) => boolean {
  const matches = compileGlob(pattern.toLowerCase());
  return ({ projectPath, subject }) =>
    pattern === `${subject.forge}:${subject.projectId}` || matches(projectPath.toLowerCase());
}

function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  cursor: string | undefined,
): { readonly page: readonly Row[]; readonly next: string | null } {
  const from = cursor === undefined ? 0 : Number(cursor);
  return { page: rows.slice(from, from + limit), next: from + limit < rows.length ? String(from + limit) : null };
}

function detailOf(task: TaskSummary) {
  const startedAtMs = task.queuedAtMs + 2000;
  return {
    v: 1,
    nowMs,
    task,
    waiting: task.state === 'waiting' ? { kind: 'paused', why: 'gitlab is paused by ann: maintenance' } : null,
    attempts: Array.from({ length: task.attempt }, (_, index) => ({
      attempt: index + 1,
      startedAtMs: startedAtMs + index * 60_000,
      endedAtMs: startedAtMs + index * 60_000 + 31_000,
      ending: index + 1 === task.attempt ? 'dead' : 'retrying',
      detail: 'model.unavailable',
    })),
    events: [
      { atMs: task.queuedAtMs, who: 'server', what: 'queued', detail: 'pushed a1b2c3d4e5' },
      { atMs: startedAtMs, who: 'scheduler-1', what: 'leased', detail: '' },
    ],
  };
}

function change(fake: FakeControlApi, taskId: string, differences: Partial<TaskSummary>): void {
  fake.tasks = fake.tasks.map((task) => (task.taskId === taskId ? { ...task, ...differences } : task));
}

function isSame(one: PauseScope, other: PauseScope): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? null : JSON.parse(text);
}

/** Answers with a `WireError`. */
export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const kind = status === 503 ? 'transient' : status === 401 || status === 403 ? 'blocked' : 'terminal';
  send(response, status, { error: { class: kind, code, message, retryAfterMs: null } });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
