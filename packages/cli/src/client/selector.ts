import { TaskKind, TaskState, Trigger, compileGlob, type TaskSummary } from '@drydock/core';
import { UsageError } from './usage-error.ts';

const keys = ['state', 'forge', 'project', 'kind', 'trigger'] as const;
/** What `--selector` knows. */
export type SelectorKey = (typeof keys)[number];

/** One condition: one of the values, or none of them. */
export interface Requirement {
  readonly key: SelectorKey;
  readonly isNegated: boolean;
  readonly values: readonly string[];
}

/** Conditions that must all hold. */
export type Selector = readonly Requirement[];

const choices: Readonly<Partial<Record<SelectorKey, readonly string[]>>> = {
  state: TaskState.options,
  kind: TaskKind.options,
  trigger: Trigger.options,
};

/**
 * Reads kubectl's notation: `state=dead,forge!=github,trigger in (pushed,opened),project=shop/*`. Throws `UsageError`
 * for a key or value that does not exist, naming those that do.
 */
export function parseSelector(text: string, known: readonly SelectorKey[] = keys): Selector {
  return text
    .split(/,(?![^()]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => parseRequirement(part, known));
}

function parseRequirement(part: string, known: readonly SelectorKey[]): Requirement {
  const { key, operator, list } =
    /^(?<key>[\w-]+)\s*(?<operator>==?|!=)\s*(?<list>[^()]*)$/.exec(part)?.groups ??
    /^(?<key>[\w-]+)\s+(?<operator>in|notin)\s*\((?<list>[^()]*)\)$/.exec(part)?.groups ??
    {};
  if (key === undefined || operator === undefined || list === undefined)
    throw new UsageError(`"${part}" is no condition: write key=value, key!=value, or key in (one,other)`);
  const found = known.find((name) => name === key);
  if (found === undefined) throw new UsageError(`a selector has no "${key}" here: it knows ${known.join(', ')}`);
  const values = list
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '');
  if (values.length === 0) throw new UsageError(`"${part}" says no value`);
  const allowed = choices[found];
  for (const value of values) {
    if (allowed !== undefined && !allowed.includes(value))
      throw new UsageError(`${found} is never "${value}": it is one of ${allowed.join(', ')}`);
  }
  return { key: found, isNegated: operator === '!=' || operator === 'notin', values };
}

/** Tells whether a task is selected. */
export function selectorMatcher(selector: Selector): (task: TaskSummary) => boolean {
  const all = selector.map(matcherOf);
  return (task) => all.every((matches) => matches(task));
}

function matcherOf({ key, isNegated, values }: Requirement): (task: TaskSummary) => boolean {
  if (key === 'project') {
    const projects = values.map(projectMatcher);
    return ({ projectPath, subject }) => projects.some((matches) => matches({ projectPath, ...subject })) !== isNegated;
  }
  return (task) => {
    const value = key === 'forge' ? task.subject.forge : task[key];
    return values.includes(value) !== isNegated;
  };
}

/** Matches projects by a glob of their path in any case, or one by `forge:id`. */
export function projectMatcher(
  pattern: string,
): (project: { readonly projectPath: string; readonly forge: string; readonly projectId: string }) => boolean {
  if (/^[a-z][a-z0-9-]*:\d+$/.test(pattern)) return ({ forge, projectId }) => pattern === `${forge}:${projectId}`;
  if (pattern === '*' || pattern === '**') return () => true;
  const matches = compileGlob(pattern.toLowerCase());
  return ({ projectPath }) => matches(projectPath.toLowerCase());
}

/** What of a selector the server itself can be asked for. `isWhole`: nothing is left to be matched here. */
export function serverPart(selector: Selector): {
  readonly states: readonly TaskState[] | null;
  readonly forge: string | null;
  readonly project: string | null;
  readonly isWhole: boolean;
} {
  let states: readonly TaskState[] | null = null;
  let forge: string | null = null;
  let project: string | null = null;
  let isWhole = true;
  for (const { key, isNegated, values } of selector) {
    const [only, ...others] = values;
    const isOne = !isNegated && only !== undefined && others.length === 0;
    if (key === 'state' && states === null)
      states = TaskState.options.filter((state) => values.includes(state) !== isNegated);
    else if (key === 'forge' && isOne && forge === null) forge = only;
    else if (key === 'project' && isOne && project === null && only !== '*' && only !== '**') project = only;
    else isWhole = false;
  }
  return { states, forge, project, isWhole };
}
