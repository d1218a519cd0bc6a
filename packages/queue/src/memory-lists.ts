import { projectKeyOf, type ProjectKey } from '@drydock/core';
import type { MemoryPauses } from './memory-pauses.ts';
import type { MemoryPlaces } from './memory-places.ts';
import { isPausedIn } from './pause-scope.ts';
import { byPlace, cursorOf, isAfter, longestPage, matcherOf, placeOf } from './task-page.ts';
import { isForgotten, viewOf, type TaskRecord } from './task-record.ts';
import type { ProjectPage, ProjectView, TaskFilter, TaskPage } from './task-queue.ts';

/** A page of tasks, newest change first. */
export function listTasks(
  records: Iterable<TaskRecord>,
  filter: TaskFilter,
  { nowMs, retentionMs }: { readonly nowMs: number; readonly retentionMs: number },
): TaskPage {
  const { states, cursor } = filter;
  const { matchesId, matchesPath } = matcherOf(filter);
  const from = placeOf(cursor);
  const limit = Math.min(filter.limit, longestPage);
  const found = [...records]
    .filter((record) => !isForgotten(record, retentionMs, nowMs))
    .filter(({ state }) => states === undefined || states.includes(state))
    .filter(({ taskId, projectPath }) => matchesId(taskId) && matchesPath(projectPath))
    .filter((record) => isAfter(record, from))
    .sort(byPlace);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return { tasks: page.map(viewOf), cursor: last === undefined || found.length <= limit ? null : cursorOf(last) };
}

interface Projects {
  readonly records: Iterable<TaskRecord>;
  /** What each is called, by its newest event. */
  readonly paths: ReadonlyMap<ProjectKey, string>;
  readonly places: MemoryPlaces;
  readonly pauses: MemoryPauses;
  readonly nowMs: number;
}

/** A page of the projects that have something to do, a share or a pause, by forge and id. */
export function listProjects(
  { limit, cursor = '' }: { readonly limit: number; readonly cursor?: string },
  known: Projects,
): ProjectPage {
  const byProject = Map.groupBy(known.records, ({ subject }) => projectKeyOf(subject));
  const ofInterest = new Set([...known.places.sharers(), ...known.pauses.projects()]);
  const views = [...new Set([...byProject.keys(), ...ofInterest])]
    .sort()
    .filter((project) => project > cursor)
    .map((key) => ({ key, view: projectView(key, byProject.get(key) ?? [], known) }))
    .filter(({ key, view }) => view.waiting + view.running > 0 || ofInterest.has(key));
  const page = views.slice(0, Math.min(limit, longestPage));
  const last = page.at(-1);
  return {
    projects: page.map(({ view }) => view),
    cursor: last === undefined || views.length <= page.length ? null : last.key,
  };
}

function projectView(
  key: ProjectKey,
  records: readonly TaskRecord[],
  { paths, places, pauses, nowMs }: Projects,
): ProjectView {
  const [forge = '', projectId = ''] = key.split(':');
  return {
    forge,
    projectId,
    projectPath: paths.get(key) ?? '',
    waiting: records.filter(({ state }) => state === 'waiting').length,
    running: places.held(nowMs, (project) => project === key),
    isPaused: isPausedIn(pauses, key),
    ...places.share(key),
  };
}
