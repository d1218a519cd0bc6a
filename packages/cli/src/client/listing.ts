import type { ParkedItem, Pause, ProjectSummary, TaskState, TaskSummary } from '@drydock/core';
import type { Resource } from '../print/resource.ts';
import {
  deadLetterResource,
  parkedResource,
  pauseResource,
  projectResource,
  scopeName,
  taskResource,
} from '../print/task-resource.ts';
import type { ControlClient } from './control-client.ts';
import { findTasks, refuseStandstill } from './find-tasks.ts';
import { parseSelector, projectMatcher, type Selector } from './selector.ts';
import { parseTaskNames } from './task-name.ts';
import { UsageError } from './usage-error.ts';

/** Some rows, and the server's time. */
export interface ListingPage<Row> {
  readonly nowMs: number;
  readonly rows: readonly Row[];
}

/** How a list ended. */
export interface ListingEnd {
  /** Names that mean one thing, which there is not. */
  readonly missing: readonly string[];
  readonly isCut: boolean;
}

/** What was asked for, ready to be read. */
export interface Listing<Row> {
  readonly resource: Resource<Row>;
  /** One thing was asked for by its name. */
  readonly isSingle: boolean;
  /** `limit` null: all. */
  pages(client: ControlClient, limit: number | null): AsyncGenerator<ListingPage<Row>, ListingEnd>;
}

/** A listing of one of the types, for code that does the same with each. */
export interface AnyListing {
  use<Result>(act: <Row>(listing: Listing<Row>) => Result): Result;
}

const types: Readonly<Record<string, readonly string[]>> = {
  tasks: ['tasks', 'task', 't'],
  deadletters: ['deadletters', 'deadletter', 'dl', 'dead-letters', 'dead-letter'],
  projects: ['projects', 'project', 'p'],
  pauses: ['pauses', 'pause'],
  parked: ['parked'],
};

const pageSize = 500;

/** Reads a type in any of its spellings, names and a selector. Throws `UsageError`. */
export function listOf(type: string, names: readonly string[], selectorText: string): AnyListing {
  const found = Object.keys(types).find((name) => types[name]?.includes(type.toLowerCase()));
  switch (found) {
    case 'tasks':
      return holding(taskListing(names, parseSelector(selectorText), null, taskResource));
    case 'deadletters': {
      const selector = parseSelector(selectorText, ['forge', 'project', 'kind', 'trigger']);
      return holding(taskListing(names, selector, ['dead'], deadLetterResource));
    }
    case 'projects':
      return holding(projectListing(names, parseSelector(selectorText, ['forge', 'project'])));
    case 'pauses':
      parseSelector(selectorText, []);
      return holding(pauseListing(names));
    case 'parked':
      parseSelector(selectorText, []);
      return holding(parkedListing(names));
    case undefined:
    default:
      throw new UsageError(`there are no "${type}": it is one of ${Object.keys(types).join(', ')}`);
  }
}

function holding<Row>(listing: Listing<Row>): AnyListing {
  return { use: (act) => act(listing) };
}

function taskListing(
  texts: readonly string[],
  selector: Selector,
  states: readonly TaskState[] | null,
  resource: Resource<TaskSummary>,
): Listing<TaskSummary> {
  const names = parseTaskNames(texts);
  const [first, ...others] = names ?? [];
  return {
    resource,
    isSingle: first !== undefined && others.length === 0 && first.kind !== 'pattern',
    async *pages(client, limit) {
      const found = findTasks(client, { names, selector, states, limit });
      for (;;) {
        const step = await found.next();
        if (step.done === true) return step.value;
        yield { nowMs: step.value.nowMs, rows: step.value.tasks };
      }
    },
  };
}

function projectListing(texts: readonly string[], selector: Selector): Listing<ProjectSummary> {
  const wanted = texts.map((text) => ({ text, matches: projectMatcher(text) }));
  const conditions = selector.map(({ key, isNegated, values }) => {
    const matchers = key === 'project' ? values.map(projectMatcher) : [];
    return (project: ProjectSummary) =>
      (key === 'project' ? matchers.some((matches) => matches(project)) : values.includes(project.forge)) !== isNegated;
  });
  return {
    resource: projectResource,
    isSingle: texts.length === 1 && isOne(texts[0] ?? ''),
    async *pages(client, limit) {
      const seen = new Set<string>();
      const matched = new Set<string>();
      let cursor: string | null = null;
      do {
        const page = await client.projects({ limit: pageSize, cursor });
        const rows: ProjectSummary[] = [];
        for (const project of page.projects) {
          const by = wanted.filter(({ matches }) => matches(project));
          for (const { text } of by) matched.add(text);
          if (wanted.length > 0 && by.length === 0) continue;
          const name = projectResource.nameOf(project);
          if (seen.has(name) || !conditions.every((holds) => holds(project))) continue;
          if (limit !== null && seen.size === limit) {
            yield { nowMs: 0, rows };
            return { missing: [], isCut: true };
          }
          seen.add(name);
          rows.push(project);
        }
        yield { nowMs: 0, rows };
        refuseStandstill(cursor, page.cursor);
        cursor = page.cursor;
      } while (cursor !== null);
      return { missing: texts.filter((text) => isOne(text) && !matched.has(text)), isCut: false };
    },
  };
}

function pauseListing(texts: readonly string[]): Listing<Pause> {
  return {
    resource: pauseResource,
    isSingle: texts.length === 1,
    async *pages(client, limit) {
      const { nowMs, pauses } = await client.pauses();
      const wanted = pauses.filter(({ scope }) => texts.length === 0 || texts.includes(scopeName(scope)));
      const kept = limit === null ? wanted : wanted.slice(0, limit);
      yield { nowMs, rows: kept };
      const there = new Set(wanted.map(({ scope }) => scopeName(scope)));
      return { missing: texts.filter((text) => !there.has(text)), isCut: kept.length < wanted.length };
    },
  };
}

function parkedListing(texts: readonly string[]): Listing<ParkedItem> {
  return {
    resource: parkedResource,
    isSingle: texts.length === 1,
    async *pages(client, limit) {
      const { nowMs, parked } = await client.parked();
      const wanted = parked.filter(({ name }) => texts.length === 0 || texts.includes(name));
      const kept = limit === null ? wanted : wanted.slice(0, limit);
      yield { nowMs, rows: kept };
      const missing = texts.filter((text) => !wanted.some(({ name }) => name === text));
      return { missing, isCut: kept.length < wanted.length };
    },
  };
}

function isOne(text: string): boolean {
  return !/[*?[\]{}]/.test(text);
}
