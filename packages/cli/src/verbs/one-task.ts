import type { TaskId } from '@drydock/core';
import type { ControlClient } from '../client/control-client.ts';
import { findTasks } from '../client/find-tasks.ts';
import { parseTaskName, type TaskName } from '../client/task-name.ts';
import { UsageError } from '../client/usage-error.ts';
import { cellText } from '../print/cell-text.ts';

/** A name that means one task. Throws `UsageError` for a glob. */
export function parseOneTask(text: string): TaskName {
  const name = parseTaskName(text);
  if (name.kind === 'pattern')
    throw new UsageError(`"${text}" may be several tasks: name one, such as review:gitlab:42:7 or group/project!7`);
  return name;
}

/** The id of the task so named; null: there is none. Throws `UsageError` when two forges have such a merge request. */
export async function taskIdNamed(client: ControlClient, name: TaskName): Promise<TaskId | null> {
  if (name.kind === 'id') return name.text;
  const ids: TaskId[] = [];
  for await (const { tasks } of findTasks(client, { names: [name], selector: [], states: null, limit: null }))
    ids.push(...tasks.map(({ taskId }) => taskId));
  if (ids.length > 1) throw new UsageError(`"${name.text}" is ${ids.slice(0, 5).join(' or ')}: name one of them`);
  return ids[0] ?? null;
}

/** That there is no such task, for people. */
export function noSuchTask(name: TaskName): string {
  return `There is no task ${cellText(name.text)}. Tasks that ended are kept for some weeks; drydock get tasks --all lists them.\n`;
}
