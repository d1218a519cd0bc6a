/** Every operation of the control API: what it takes, gives and needs. Routes and OpenAPI document are made of this list. */
import {
  CancelAnswer,
  ControlStats,
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
  controlPaths,
} from '@drydock/core';
import { z } from 'zod';
import type { ControlRole } from './control-tokens.ts';

/** One operation. `path` is in the router's form; its only parameter is `:taskId`. */
export interface Operation<
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly role: ControlRole;
  readonly tag: string;
  readonly summary: string;
  readonly query: Query;
  /** `Nothing`: no body is read. */
  readonly body: Body;
  readonly answer: Answer;
}

/** No query, or no body. */
export const Nothing = z.strictObject({});

const path = {
  ...controlPaths,
  task: controlPaths.task(':taskId'),
  events: controlPaths.events(':taskId'),
  logs: controlPaths.logs(':taskId'),
  retry: controlPaths.retry(':taskId'),
  cancel: controlPaths.cancel(':taskId'),
};

const viewing = { method: 'get', role: 'viewer', query: Nothing, body: Nothing } as const;
const ordering = { method: 'post', role: 'admin', query: Nothing, body: Nothing } as const;

/** By name. */
export const operations = {
  listTasks: {
    ...viewing,
    id: 'listTasks',
    path: path.tasks,
    tag: 'tasks',
    summary: 'Tasks, newest change first',
    query: TaskQuery,
    answer: TaskPage,
  },
  getTask: {
    ...viewing,
    id: 'getTask',
    path: path.task,
    tag: 'tasks',
    summary: 'All that is known of a task',
    answer: TaskDetail,
  },
  listEvents: {
    ...viewing,
    id: 'listEvents',
    path: path.events,
    tag: 'tasks',
    summary: 'What happened to a task, by whom and when',
    answer: EventList,
  },
  readLogs: {
    ...viewing,
    id: 'readLogs',
    path: path.logs,
    tag: 'tasks',
    summary: 'What an agent does or did for a task',
    query: LogQuery,
    answer: LogPage,
  },
  retryTask: {
    ...ordering,
    id: 'retryTask',
    path: path.retry,
    tag: 'tasks',
    summary: 'Lets a task that ended run again, whatever its end was',
    answer: RetryAnswer,
  },
  cancelTask: {
    ...ordering,
    id: 'cancelTask',
    path: path.cancel,
    tag: 'tasks',
    summary: 'Ends a task that waits, stops one that runs',
    answer: CancelAnswer,
  },
  retryDeadLetters: {
    ...ordering,
    id: 'retryDeadLetters',
    path: path.replay,
    tag: 'dead letters',
    summary: 'Lets dead letters run again, a bounded step at a time',
    body: DeadLetterReplay,
    answer: DeadLettersReplayed,
  },
  listProjects: {
    ...viewing,
    id: 'listProjects',
    path: path.projects,
    tag: 'queue',
    summary: 'Projects that have something to do, and their shares',
    query: PageQuery,
    answer: ProjectSummaryPage,
  },
  getStats: {
    ...viewing,
    id: 'getStats',
    path: path.stats,
    tag: 'queue',
    summary: 'The queue in numbers',
    answer: ControlStats,
  },
  listPauses: {
    ...viewing,
    id: 'listPauses',
    path: path.pauses,
    tag: 'queue',
    summary: 'What is paused, by whom, why and since when',
    answer: PauseList,
  },
  listPauseEvents: {
    ...viewing,
    id: 'listPauseEvents',
    path: path.pauseEvents,
    tag: 'queue',
    summary: 'Who paused and resumed what, and when: the newest 200',
    answer: PauseEventList,
  },
  listParked: {
    ...viewing,
    id: 'listParked',
    path: path.parked,
    tag: 'queue',
    summary: 'What no scheduler can read, so that it waits for a person',
    answer: ParkedList,
  },
  pause: {
    ...ordering,
    id: 'pause',
    method: 'put',
    path: path.pauses,
    tag: 'queue',
    summary: 'Starts nothing new of all, of a forge or of a project; what runs goes on',
    body: PauseRequest,
    answer: PauseAnswer,
  },
  resume: {
    ...ordering,
    id: 'resume',
    method: 'delete',
    path: path.pauses,
    tag: 'queue',
    summary: 'Ends a pause',
    query: PauseScope,
    answer: ResumeAnswer,
  },
} as const satisfies Readonly<Record<string, Operation>>;
