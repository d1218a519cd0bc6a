import {
  TaskState,
  type ParkedItem,
  type Pause,
  type PauseEvent,
  type PauseScope,
  type ProjectSummary,
  type TaskSummary,
} from '@drydock/core';
import { ageText } from './age.ts';
import type { Resource } from './resource.ts';
import type { CellColour, Column } from './table.ts';

const colours: Readonly<Partial<Record<TaskState, CellColour>>> = {
  leased: 'cyan',
  running: 'cyan',
  publishing: 'cyan',
  done: 'green',
  dead: 'red',
  skipped: 'dim',
  superseded: 'dim',
  cancelled: 'dim',
};

const name: Column<TaskSummary> = { header: 'NAME', cell: ({ taskId }) => taskId };
const mergeRequest: Column<TaskSummary> = { header: 'MERGE REQUEST', cell: mergeRequestOf };
const trigger: Column<TaskSummary> = { header: 'TRIGGER', cell: (task) => task.trigger };
const attempts: Column<TaskSummary> = { header: 'ATTEMPTS', cell: ({ attempt }) => String(attempt) };
const failures: Column<TaskSummary> = { header: 'FAULTS', isWide: true, cell: (task) => String(task.failures) };
const head: Column<TaskSummary> = { header: 'HEAD', isWide: true, cell: ({ headSha }) => headSha?.slice(0, 10) ?? '' };

const sortKeys: Resource<TaskSummary>['sortKeys'] = {
  name: ({ taskId }) => taskId,
  project: ({ projectPath }) => projectPath,
  state: ({ state }) => TaskState.options.indexOf(state),
  trigger: (task) => task.trigger,
  attempts: ({ attempt }) => attempt,
  faults: (task) => task.failures,
  // As ages grow: the newest first.
  age: ({ queuedAtMs }) => -queuedAtMs,
  ended: ({ endedAtMs }) => -(endedAtMs ?? Infinity),
  error: ({ lastError }) => lastError?.code ?? '',
};

/** Tasks of any state. */
export const taskResource: Resource<TaskSummary> = {
  plural: 'tasks',
  listKey: 'tasks',
  nameOf: ({ taskId }) => taskId,
  sortKeys,
  columns: [
    name,
    mergeRequest,
    { header: 'STATE', cell: stateText, colour: ({ state }) => colours[state] ?? null },
    trigger,
    attempts,
    { header: 'AGE', cell: ({ queuedAtMs }, nowMs) => ageText(nowMs - queuedAtMs) },
    failures,
    head,
    {
      header: 'STARTS',
      isWide: true,
      cell: ({ readyAtMs }, nowMs) =>
        readyAtMs === null || readyAtMs <= nowMs ? '' : `in ${ageText(readyAtMs - nowMs)}`,
    },
    {
      header: 'ENDED',
      isWide: true,
      cell: ({ endedAtMs }, nowMs) => (endedAtMs === null ? '' : ageText(nowMs - endedAtMs)),
    },
    { header: 'WHY', isWide: true, cell: whyOf },
  ],
};

/** Tasks that are no longer retried. */
export const deadLetterResource: Resource<TaskSummary> = {
  plural: 'dead letters',
  listKey: 'tasks',
  nameOf: ({ taskId }) => taskId,
  sortKeys,
  columns: [
    name,
    mergeRequest,
    { header: 'ERROR', cell: ({ lastError }) => lastError?.code ?? '', colour: () => 'red' },
    attempts,
    { header: 'DEAD FOR', cell: ({ endedAtMs }, nowMs) => (endedAtMs === null ? '' : ageText(nowMs - endedAtMs)) },
    { ...trigger, isWide: true },
    failures,
    head,
    { header: 'MESSAGE', isWide: true, cell: ({ lastError }) => lastError?.message ?? '' },
  ],
};

/** Projects with their shares. */
export const projectResource: Resource<ProjectSummary> = {
  plural: 'projects',
  listKey: 'projects',
  nameOf: ({ forge, projectId }) => `${forge}:${projectId}`,
  sortKeys: {
    name: ({ forge, projectId }) => `${forge}:${projectId}`,
    project: ({ projectPath }) => projectPath,
    waiting: ({ waiting }) => -waiting,
    running: ({ running }) => -running,
    weight: ({ weight }) => -weight,
  },
  columns: [
    { header: 'NAME', cell: ({ forge, projectId }) => `${forge}:${projectId}` },
    { header: 'PROJECT', cell: ({ projectPath }) => projectPath },
    { header: 'WAITING', cell: ({ waiting }) => String(waiting) },
    { header: 'RUNNING', cell: ({ running }) => String(running) },
    {
      header: 'PAUSED',
      cell: ({ isPaused }) => (isPaused ? 'yes' : 'no'),
      colour: ({ isPaused }) => (isPaused ? 'yellow' : null),
    },
    { header: 'WEIGHT', isWide: true, cell: ({ weight }) => String(weight) },
    { header: 'MAX RUNNING', isWide: true, cell: ({ maxRunning }) => (maxRunning === null ? '' : String(maxRunning)) },
  ],
};

/** Pauses in force. */
export const pauseResource: Resource<Pause> = {
  plural: 'pauses',
  listKey: 'pauses',
  nameOf: ({ scope }) => scopeName(scope),
  sortKeys: {
    name: ({ scope }) => scopeName(scope),
    by: ({ by }) => by,
    age: ({ atMs }) => -atMs,
  },
  columns: [
    { header: 'NAME', cell: ({ scope }) => scopeName(scope), colour: () => 'yellow' },
    { header: 'BY', cell: ({ by }) => by },
    { header: 'AGE', cell: ({ atMs }, nowMs) => ageText(nowMs - atMs) },
    { header: 'WHY', cell: ({ why }) => why },
  ],
};

/** What no scheduler can read. */
export const parkedResource: Resource<ParkedItem> = {
  plural: 'parked tasks and places',
  listKey: 'parked',
  nameOf: ({ name: own }) => own,
  sortKeys: {
    name: ({ name: own }) => own,
    kind: ({ kind }) => kind,
    age: ({ sinceMs }) => -sinceMs,
  },
  columns: [
    { header: 'NAME', cell: ({ name: own }) => own, colour: () => 'red' },
    { header: 'KIND', cell: ({ kind }) => kind },
    { header: 'AGE', cell: ({ sinceMs }, nowMs) => ageText(nowMs - sinceMs) },
    {
      header: 'WHY',
      cell: ({ kind }) =>
        kind === 'task'
          ? 'its record is gone, or of another form or version'
          : `something else stands under keys of the ${kind}`,
    },
  ],
};

/** Pauses that began and ended. */
export const pauseEventResource: Resource<PauseEvent> = {
  plural: 'events',
  listKey: 'events',
  nameOf: ({ what }) => what,
  sortKeys: {},
  columns: [
    { header: 'AGE', cell: ({ atMs }, nowMs) => ageText(nowMs - atMs) },
    { header: 'WHAT', cell: ({ what }) => what, colour: ({ what }) => (what === 'paused' ? 'yellow' : null) },
    { header: 'NAME', cell: ({ scope }) => scopeName(scope) },
    { header: 'WHO', cell: ({ who }) => who },
    { header: 'WHY', cell: ({ why }) => why },
  ],
};

/** `all`, a forge, or `forge:id`: as `drydock pause` takes it. */
export function scopeName(scope: PauseScope): string {
  switch (scope.kind) {
    case 'all':
      return 'all';
    case 'forge':
      return scope.forge;
    case 'project':
      return `${scope.forge}:${scope.projectId}`;
  }
}

/** `group/project!7` */
export function mergeRequestOf({ projectPath, subject }: TaskSummary): string {
  return `${projectPath}!${String(subject.iid)}`;
}

/** The state, and that it will run once more. */
export function stateText({ state, isDirty }: TaskSummary): string {
  return isDirty ? `${state}, again` : state;
}

function whyOf({ outcome, lastError }: TaskSummary): string {
  if (outcome !== null) return outcome.kind === 'done' ? '' : outcome.why;
  return lastError === null ? '' : `${lastError.code}: ${lastError.message}`;
}
