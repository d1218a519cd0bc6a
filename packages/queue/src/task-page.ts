/** Pages over things that move: a cursor names the place where the last page ended, not how many came before it. */
import { TaskId, compileGlob, type PathMatcher } from '@drydock/core';
import { z } from 'zod';
import type { TaskFilter } from './task-queue.ts';

/** No page is longer. */
export const longestPage = 1_000;

/** Where a task stands in a list: newest change first, equal ones by id, the greatest first. */
export interface TaskPlace {
  readonly updatedAtMs: number;
  readonly taskId: TaskId;
}

const Cursor = z.tuple([z.coerce.number(), TaskId]);

/** The place as a cursor. */
export function cursorOf({ updatedAtMs, taskId }: TaskPlace): string {
  return `${String(updatedAtMs)}~${taskId}`;
}

/** Null for the first page, and for what is no cursor of ours. */
export function placeOf(cursor: string | undefined): TaskPlace | null {
  const parsed = Cursor.safeParse(cursor?.split('~'));
  return parsed.success ? { updatedAtMs: parsed.data[0], taskId: parsed.data[1] } : null;
}

/** Orders places as lists show them. */
export function byPlace(left: TaskPlace, right: TaskPlace): number {
  return right.updatedAtMs - left.updatedAtMs || (left.taskId < right.taskId ? 1 : -1);
}

/** Whether `place` comes after the cursor's. */
export function isAfter(place: TaskPlace, cursor: TaskPlace | null): boolean {
  return cursor === null || (place.taskId !== cursor.taskId && byPlace(cursor, place) < 0);
}

/** What a filter asks of a task besides its state: by its id alone, and by its path. */
export function matcherOf({ forge, projectId, iid, projectPath }: TaskFilter) {
  const matchesPath: PathMatcher = projectPath === undefined ? () => true : compileGlob(projectPath);
  return {
    matchesId: (taskId: TaskId): boolean => {
      const [, itsForge, itsProject, itsIid] = taskId.split(':');
      if (iid !== undefined && String(iid) !== itsIid) return false;
      return (forge === undefined || forge === itsForge) && (projectId === undefined || projectId === itsProject);
    },
    matchesPath,
  };
}
