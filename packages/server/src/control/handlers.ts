import {
  BlockedError,
  TerminalError,
  attemptOf,
  runIdOf,
  type CancelAnswer,
  type Clock,
  type DeadLetterFilter,
  type DeadLetterReplay,
  type DeadLettersReplayed,
  type LogPage,
  type LogQuery,
  type PauseAnswer,
  type ProjectPattern,
  type ProjectSummaryPage,
  type ResumeAnswer,
  type RetryAnswer,
  type TaskId,
  type TaskQuery,
} from '@drydock/core';
import type { TaskFilter, TaskQueue, TaskView } from '@drydock/queue';
import type { z } from 'zod';
import type { Caller } from './control-tokens.ts';
import { operations, type Operation } from './operations.ts';
import type { RunLogs } from './run-logs.ts';
import { attemptsOf, launchOf, summaryOf, waitingReason } from './task-views.ts';

/** What the operations work on. */
export interface HandlerPorts {
  readonly queue: TaskQueue;
  readonly clock: Clock;
  readonly version: string;
  readonly store: string;
  /** Absent: the server was told of no gateway. */
  readonly runLogs?: RunLogs;
  /** Whether the process is on its way out: then nobody is kept waiting. */
  readonly isStopping: () => boolean;
}

/** A request as its operation's schemas made it. */
interface Parsed<Query, Body> {
  readonly taskId: TaskId;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/** An operation and what it does. */
export interface Bound {
  readonly operation: Operation;
  readonly run: (request: Parsed<unknown, unknown>) => Promise<Answered>;
}

/** What is sent, and for the audit what it means in a word. */
export interface Answered {
  readonly body: unknown;
  readonly outcome: string;
  /** How many tasks it was about; null: one, or none. */
  readonly count: number | null;
}

/** So often it is looked whether the attempt that is waited for has ended. */
const logStepMs = 1000;
const shortestStepMs = 200;

/** How many dead letters one step looks at, whatever it finds. */
const maxScanned = 1000;

/** Every operation with its work. */
export function bindHandlers(ports: HandlerPorts): readonly Bound[] {
  const { queue, clock } = ports;
  const stamp = () => ({ v: 1 as const, nowMs: clock.nowMs() });

  const requireTask = async (taskId: TaskId): Promise<TaskView> => {
    const task = await queue.get(taskId);
    if (task === null) throw unknownTask(taskId);
    return task;
  };

  return [
    bind(operations.listTasks, async ({ query }) => {
      const { tasks, cursor } = await queue.list(taskFilter(query));
      return { ...stamp(), tasks: tasks.map(summaryOf), cursor };
    }),
    bind(operations.getTask, async ({ taskId }) => {
      const task = await requireTask(taskId);
      const [events, pauses, stats] = await Promise.all([queue.events(taskId), queue.pauses(), queue.stats()]);
      const at = stamp();
      return {
        ...at,
        task: summaryOf(task),
        waiting: waitingReason(task, { pauses, stats, nowMs: at.nowMs }),
        attempts: attemptsOf(events, attemptOf(task.launch)),
        events: [...events],
      };
    }),
    bind(operations.listEvents, async ({ taskId }) => {
      const events = await queue.events(taskId);
      if (events.length === 0) await requireTask(taskId);
      return { ...stamp(), taskId, events: [...events] };
    }),
    bind(operations.readLogs, async ({ taskId, query, signal }) => {
      const untilMs = clock.monotonicMs() + query.waitMs;
      for (let asked = query; ;) {
        const beginMs = clock.monotonicMs();
        const waitMs = Math.min(Math.max(untilMs - beginMs, 0), logStepMs);
        const page = await readLogs(ports, await requireTask(taskId), { ...asked, waitMs }, signal);
        const isAnswer = page.entries.length > 0 || page.isOver || ports.isStopping() || signal.aborted;
        if (isAnswer || clock.monotonicMs() >= untilMs) return { ...stamp(), ...page };
        asked = { ...asked, attempt: page.attempt };
        // The gateway answers at once about a run that has not come to it yet.
        await clock.sleep(Math.max(beginMs + shortestStepMs - clock.monotonicMs(), 0), signal);
      }
    }),
    bind(operations.retryTask, async ({ taskId, caller }): Promise<RetryAnswer> => {
      const kind = await queue.retry(taskId, caller.name);
      if (kind === 'absent') throw unknownTask(taskId);
      return { v: 1, kind };
    }),
    bind(operations.cancelTask, async ({ taskId, caller }): Promise<CancelAnswer> => {
      const kind = await queue.cancel(taskId, caller.name);
      if (kind !== 'absent') return { v: 1, kind };
      await requireTask(taskId);
      return { v: 1, kind: 'ended' };
    }),
    bind(operations.retryDeadLetters, ({ body, caller }) => replay(queue, body, caller.name)),
    bind(operations.listProjects, async ({ query: { limit, cursor } }): Promise<ProjectSummaryPage> => {
      checkCursor(cursor, projectCursor);
      const page = await queue.projects({ limit, ...(cursor === undefined ? {} : { cursor }) });
      return { v: 1, projects: [...page.projects], cursor: page.cursor };
    }),
    bind(operations.getStats, async () => {
      const [stats, pauses] = await Promise.all([queue.stats(), queue.pauses()]);
      const { version, store } = ports;
      return { ...stamp(), ...stats, pauses: pauses.length, store, version };
    }),
    bind(operations.listPauses, async () => ({ ...stamp(), pauses: [...(await queue.pauses())] })),
    bind(operations.listPauseEvents, async () => ({ ...stamp(), events: [...(await queue.pauseEvents())] })),
    bind(operations.listParked, async () => ({ ...stamp(), parked: [...(await queue.parked())] })),
    bind(operations.pause, async ({ body, caller }): Promise<PauseAnswer> => ({
      v: 1,
      kind: await queue.pause(body.scope, caller.name, body.why),
    })),
    bind(operations.resume, async ({ query, caller }): Promise<ResumeAnswer> => ({
      v: 1,
      kind: await queue.resume(query, caller.name),
    })),
  ];
}

function bind<Query extends z.ZodType, Body extends z.ZodType, Answer extends z.ZodType<object>>(
  operation: Operation<Query, Body, Answer>,
  work: (request: Parsed<z.output<Query>, z.output<Body>>) => Promise<z.output<Answer>>,
): Bound {
  return {
    operation,
    async run({ query, body, ...request }) {
      // parser: the route parsed both by this operation's schemas
      const parsed = { ...request, query: query as z.output<Query>, body: body as z.output<Body> };
      const answer = await work(parsed);
      const outcome = 'kind' in answer && typeof answer.kind === 'string' ? answer.kind : 'done';
      const count = 'retried' in answer && Array.isArray(answer.retried) ? answer.retried.length : null;
      return { body: answer, outcome, count };
    },
  };
}

async function readLogs(
  { queue, runLogs }: HandlerPorts,
  task: TaskView,
  query: LogQuery,
  signal: AbortSignal,
): Promise<Omit<LogPage, 'v' | 'nowMs'>> {
  if (runLogs === undefined) {
    throw new BlockedError(
      'control.no_logs',
      'logs are not configured: set DRYDOCK_GATEWAY_URL and DRYDOCK_GATEWAY_VIEW_TOKEN for the server',
    );
  }
  const last = attemptOf(task.launch);
  const attempt = query.attempt ?? last;
  if (attempt < 1 || attempt > last) {
    const has = last === 0 ? 'no agent was started for it yet' : `its attempts are 1 to ${String(last)}`;
    throw new TerminalError('request.not_found', `there is no such attempt of ${task.taskId}: ${has}`);
  }
  const events = attempt === last ? [] : await queue.events(task.taskId);
  const runId = runIdOf(task.taskId, launchOf(events, attempt, task.launch));
  const entries = await runLogs.progressAfter(runId, query, signal);
  const isOver = attempt < last || task.state !== 'running';
  // The gateway hears of the newest run a moment after the queue.
  if (entries === null && isOver) throw new TerminalError('request.not_found', nothingKept(task.taskId, attempt));
  return { taskId: task.taskId, attempt, runId, entries: [...(entries ?? [])], isOver };
}

function nothingKept(taskId: TaskId, attempt: number): string {
  return `nothing is kept of attempt ${String(attempt)} of ${taskId}: it is too long ago`;
}

async function replay(queue: TaskQueue, wanted: DeadLetterReplay, by: string): Promise<DeadLettersReplayed> {
  const { filter, limit, isDryRun } = wanted;
  const retried: TaskId[] = [];
  let { cursor } = wanted;
  checkCursor(cursor ?? undefined, taskCursor);
  for (let looked = 0; ;) {
    // Never more than may still be taken, so that the cursor passes no letter that was left.
    const page = await queue.list({
      ...projectFilter(filter),
      states: ['dead'],
      limit: Math.min(limit - retried.length, 100),
      ...(cursor === null ? {} : { cursor }),
    });
    for (const task of page.tasks) {
      if (isMeant(task, filter) && (isDryRun || (await queue.retry(task.taskId, by)) === 'queued')) {
        retried.push(task.taskId);
      }
    }
    looked += Math.max(page.tasks.length, 1);
    cursor = page.cursor;
    if (cursor === null || retried.length >= limit || looked >= maxScanned) break;
  }
  return { v: 1, isDryRun, retried, cursor };
}

function isMeant(task: TaskView, { code, endedFromMs, endedBeforeMs }: DeadLetterFilter): boolean {
  const endedAtMs = task.endedAtMs ?? 0;
  return (
    task.state === 'dead' &&
    (code === undefined || task.lastError?.code === code) &&
    (endedFromMs === undefined || endedAtMs >= endedFromMs) &&
    (endedBeforeMs === undefined || endedAtMs < endedBeforeMs)
  );
}

function taskFilter(query: TaskQuery): TaskFilter {
  const { state, iid, limit, cursor } = query;
  checkCursor(cursor, taskCursor);
  return {
    ...projectFilter(query),
    ...(state === undefined ? {} : { states: state }),
    ...(iid === undefined ? {} : { iid }),
    limit,
    ...(cursor === undefined ? {} : { cursor }),
  };
}

const taskCursor = /^\d{1,16}~[a-z][a-z0-9-]*:[a-z][a-z0-9-]*:[1-9]\d*:[1-9]\d*$/;
const projectCursor = /^[a-z][a-z0-9-]*:[1-9]\d*$/;

/** The queue takes a cursor that is none of its own for the beginning: who goes through pages would do so for ever. */
function checkCursor(cursor: string | undefined, form: RegExp): void {
  if (cursor !== undefined && !form.test(cursor))
    throw new TerminalError('request.malformed', '"cursor" is not as the page before gave it');
}

/** `gitlab:42` is a project by its id, anything else a glob over paths. */
function projectFilter({ forge, project }: { forge?: string | undefined; project?: ProjectPattern | undefined }) {
  const [, idForge, projectId] = /^([a-z][a-z0-9-]*):([1-9]\d*)$/.exec(project ?? '') ?? [];
  const wanted = { ...(forge === undefined ? {} : { forge }) };
  if (project === undefined) return wanted;
  if (idForge === undefined || projectId === undefined) return { ...wanted, projectPath: project };
  if (forge !== undefined && forge !== idForge) {
    throw new TerminalError('request.malformed', `the project ${project} is not of the forge "${forge}"`);
  }
  return { forge: idForge, projectId };
}

function unknownTask(taskId: TaskId): TerminalError {
  return new TerminalError('request.not_found', `there is no task ${taskId}`);
}
