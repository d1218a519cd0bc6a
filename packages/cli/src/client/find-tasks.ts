import type { TaskPage, TaskState, TaskSummary } from '@drydock/core';
import { TerminalError } from '@drydock/core';
import type { ControlClient } from './control-client.ts';
import { selectorMatcher, serverPart, type Selector } from './selector.ts';
import type { TaskName } from './task-name.ts';

/** Which tasks. */
export interface TaskSearch {
  /** Null: whatever the name. */
  readonly names: readonly TaskName[] | null;
  readonly selector: Selector;
  /** Only these; null: any. */
  readonly states: readonly TaskState[] | null;
  /** The most tasks; null: no limit. */
  readonly limit: number | null;
}

/** Some of the tasks, and the server's time. */
export interface FoundTasks {
  readonly nowMs: number;
  readonly tasks: readonly TaskSummary[];
}

/** How a search ended. */
export interface SearchEnd {
  /** Names of one task that there is not. */
  readonly missing: readonly string[];
  /** There are more than the limit. */
  readonly isCut: boolean;
}

const pageSize = 500;

/**
 * Finds tasks page by page, newest change first within each name, no task twice. Holds one page and the ids of what it
 * has given, however many there are. Returns how it ended.
 */
export async function* findTasks(client: ControlClient, search: TaskSearch): AsyncGenerator<FoundTasks, SearchEnd> {
  const given = new Set<string>();
  const missing: string[] = [];
  const isSelected = selectorMatcher(search.selector);
  for (const name of search.names ?? [null]) {
    let hasFound = false;
    for await (const { nowMs, tasks } of pagesOf(client, search, name)) {
      const wanted = tasks.filter((task) => isWanted(search, isSelected, task));
      hasFound ||= wanted.length > 0;
      const fresh = wanted.filter(({ taskId }) => !given.has(taskId));
      const isOver = search.limit !== null && given.size + fresh.length > search.limit;
      const kept = isOver ? fresh.slice(0, search.limit - given.size) : fresh;
      for (const { taskId } of kept) given.add(taskId);
      yield { nowMs, tasks: kept };
      if (isOver) return { missing, isCut: true };
    }
    if (!hasFound && name !== null && name.kind !== 'pattern') missing.push(name.text);
  }
  return { missing, isCut: false };
}

function isWanted({ states }: TaskSearch, isSelected: (task: TaskSummary) => boolean, task: TaskSummary): boolean {
  return (states === null || states.includes(task.state)) && isSelected(task);
}

/** What the server gives for a name, already held against it. */
async function* pagesOf(client: ControlClient, search: TaskSearch, name: TaskName | null): AsyncGenerator<FoundTasks> {
  if (name?.kind === 'id') {
    const detail = await client.task(name.text);
    yield { nowMs: detail?.nowMs ?? 0, tasks: detail === null ? [] : [detail.task] };
    return;
  }
  const asked = serverPart(search.selector);
  const states = name?.kind === 'merge-request' ? null : intersect(search.states, asked.states);
  if (states?.length === 0) return;
  const project = name?.project ?? asked.project;
  const forge = name?.forge ?? asked.forge;
  const limit = pageLimit(search, name);
  const ask = (cursor: string | null) => {
    const asking = client.tasks({
      ...(states === null ? {} : { states }),
      ...(forge === null ? {} : { forge }),
      ...(project === null ? {} : { project }),
      ...(name === null || name.iid === null ? {} : { iid: name.iid }),
      limit,
      cursor,
    });
    asking.catch(() => undefined); // who leaves early does not wait for it
    return asking;
  };
  let cursor: string | null = null;
  let next: ReturnType<typeof ask> | null = ask(null);
  while (next !== null) {
    const page: TaskPage = await next;
    refuseStandstill(cursor, page.cursor);
    cursor = page.cursor;
    // The server works on the next page while this one is printed; not where this one may be all that is wanted.
    const isAhead = cursor !== null && (search.limit === null || search.limit > limit);
    const ahead = isAhead ? ask(cursor) : null;
    yield { nowMs: page.nowMs, tasks: name === null ? page.tasks : page.tasks.filter((task) => name.matches(task)) };
    next = ahead ?? (cursor === null ? null : ask(cursor));
  }
}

/** One more than is wanted tells whether there are more. */
function pageLimit({ limit, selector }: TaskSearch, name: TaskName | null): number {
  const isExact = name === null && serverPart(selector).isWhole;
  return limit === null || !isExact ? pageSize : Math.min(pageSize, limit + 1);
}

/** A server that sends the same page for ever must not be read for ever. */
export function refuseStandstill(before: string | null, after: string | null): void {
  if (after !== null && after === before)
    throw new TerminalError('control.bad_answer', 'The server says again and again that the same page is next.');
}

function intersect(one: readonly TaskState[] | null, other: readonly TaskState[] | null): readonly TaskState[] | null {
  if (one === null || other === null) return one ?? other;
  return one.filter((state) => other.includes(state));
}
