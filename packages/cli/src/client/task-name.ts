import { ProjectKey, TaskId, compileGlob } from '@drydock/core';
import { UsageError } from './usage-error.ts';

/** What a name is held against. */
export interface NamedTask {
  readonly taskId: string;
  readonly projectPath: string;
  readonly subject: { readonly iid: number };
}

/** How people name tasks. `id` and `merge-request` mean one; a `pattern` as many as there are. */
export interface TaskName {
  readonly kind: 'id' | 'merge-request' | 'pattern';
  readonly text: string;
  /** What the server can be asked for, as far as the name says it; the rest is `matches`. */
  readonly forge: string | null;
  readonly project: string | null;
  readonly iid: number | null;
  matches(task: NamedTask): boolean;
}

const wildcard = /[*?[\]{}]/;

/**
 * `gitlab:42` (all of that project), `review:gitlab:42:7` or a glob of it, `group/project!7`, `group/*!7`, `group/project` (all of that project) or a glob of
 * paths. Throws `UsageError` for what can be none of these.
 */
export function parseTaskName(text: string): TaskName {
  if (text.length > 300) throw new UsageError(`a name is at most 300 characters long: ${text.slice(0, 50)}…`);
  if (text === '*') return { kind: 'pattern', text, forge: null, project: null, iid: null, matches: () => true };
  if (text.includes(':')) return parseId(text);
  const [, path, iid] = /^(.*?)(?:!([\d*?]+))?$/s.exec(text) ?? [];
  if (path === undefined || path === '') throw wrong(text);
  return parsePath(text, path, iid ?? null);
}

/** All the names; none: `null`, which is every task. */
export function parseTaskNames(texts: readonly string[]): readonly TaskName[] | null {
  return texts.length === 0 ? null : texts.map(parseTaskName);
}

function parseId(text: string): TaskName {
  if (TaskId.safeParse(text).success) {
    const [, forge = null, id] = text.split(':');
    const project = forge === null || id === undefined ? null : `${forge}:${id}`;
    return { kind: 'id', text, forge, project, iid: null, matches: ({ taskId }) => taskId === text };
  }
  if (ProjectKey.safeParse(text).success) return ofProject(text);
  const parts = text.split(':');
  if (!wildcard.test(text) || parts.length > 4 || !/^[a-z0-9:*?[\]{},!^-]+$/.test(text)) throw wrong(text);
  const [, forge = '', id = ''] = parts;
  const isForgeKnown = /^[a-z][a-z0-9-]*$/.test(forge);
  const matches = compileGlob(text);
  return {
    kind: 'pattern',
    text,
    forge: isForgeKnown ? forge : null,
    project: isForgeKnown && /^\d+$/.test(id) ? `${forge}:${id}` : null,
    iid: null,
    matches: ({ taskId }) => matches(taskId),
  };
}

function ofProject(text: string): TaskName {
  const [forge = ''] = text.split(':');
  return {
    kind: 'pattern',
    text,
    forge,
    project: text,
    iid: null,
    matches: ({ taskId }) => taskId.split(':').slice(1, 3).join(':') === text,
  };
}

function parsePath(text: string, path: string, iid: string | null): TaskName {
  const isOne = !wildcard.test(path) && iid !== null && /^\d+$/.test(iid);
  const matchesPath = path === '*' || path === '**' ? () => true : compileGlob(path.toLowerCase());
  const matchesIid = iid === null ? () => true : compileGlob(iid);
  return {
    kind: isOne ? 'merge-request' : 'pattern',
    text,
    forge: null,
    project: path === '*' || path === '**' ? null : path,
    iid: iid !== null && /^[1-9]\d{0,8}$/.test(iid) ? Number(iid) : null,
    matches: ({ projectPath, subject }) => matchesPath(projectPath.toLowerCase()) && matchesIid(String(subject.iid)),
  };
}

function wrong(text: string): UsageError {
  return new UsageError(
    `"${text}" names no task: write review:gitlab:42:7, group/project!7, group/project, gitlab:42, or a glob of these in quotes`,
  );
}
