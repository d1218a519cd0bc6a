import { DrydockError, type TaskId, type TaskState } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import type { ControlClient } from '../client/control-client.ts';
import { findTasks } from '../client/find-tasks.ts';
import type { Selector } from '../client/selector.ts';
import { parseTaskNames, type TaskName } from '../client/task-name.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { cellText } from '../print/cell-text.ts';
import { writeOut } from '../print/write-out.ts';
import { count } from '../report/report-words.ts';
import { confirmChange } from './confirm-change.ts';
import { noSuchTask } from './one-task.ts';

/** Flags of the verbs that change tasks. */
export interface ChangeFlags extends ClientFlags {
  readonly all?: boolean;
  readonly selector?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly output?: 'name';
}

/** One verb on tasks. */
export interface TaskChange {
  /** As in "Cancel 3 tasks?". */
  readonly verb: string;
  /** As in "would be cancelled". */
  readonly participle: string;
  /** What a glob, a selector or `--all` means, as in "dead letter". */
  readonly noun: string;
  /** The states that these are in. Null: any. */
  readonly states: readonly TaskState[] | null;
  /** Does it; what became of the task, for people. Null: there is no such task. */
  readonly apply: (client: ControlClient, taskId: TaskId) => Promise<string | null>;
}

/** Which tasks: names or conditions, never nothing, which could be meant as all. Throws `UsageError`. */
export function readTargets(
  texts: readonly string[],
  selector: Selector,
  { all }: ChangeFlags,
): { readonly names: readonly TaskName[] | null; readonly isBulk: boolean } {
  const names = parseTaskNames(texts);
  if (all === true && names !== null) throw new UsageError('name tasks, or say --all, not both');
  if (names === null && all !== true && selector.length === 0)
    throw new UsageError('say which: names, a --selector, or --all');
  return { names, isBulk: names === null || names.some(({ kind }) => kind === 'pattern') };
}

/** Finds the tasks, asks if they are many, and does it to each. Returns the exit code. */
export async function changeTasks(
  change: TaskChange,
  targets: { readonly names: readonly TaskName[] | null; readonly isBulk: boolean; readonly selector: Selector },
  flags: ChangeFlags,
  { client, ports }: { readonly client: ControlClient; readonly ports: CliPorts },
): Promise<number> {
  const { taskIds, missing } = await targetsOf(client, change, targets);
  for (const name of missing) ports.stderr.write(noSuchTask(name));
  const code = missing.length > 0 ? exitCodes.notFound : exitCodes.ok;
  if (taskIds.length === 0) {
    if (missing.length === 0) ports.stderr.write(`No ${change.noun}s found.\n`);
    return code;
  }
  if (flags.dryRun === true) {
    await tellDryRun(change, taskIds, flags, ports);
    return code;
  }
  const question = `${change.verb} ${count(taskIds.length, change.noun)}?`;
  if (targets.isBulk && !(await confirmChange(question, ports, flags.yes === true))) return exitCodes.failed;
  return Math.max(code, await applyToEach(change, taskIds, flags, { client, ports }));
}

/** That each would be changed. */
export async function tellDryRun(
  { participle }: Pick<TaskChange, 'participle'>,
  taskIds: readonly TaskId[],
  { output }: ChangeFlags,
  { stdout }: CliPorts,
): Promise<void> {
  const end = output === 'name' ? '' : ` would be ${participle}`;
  await writeOut(stdout, taskIds.map((taskId) => `${taskId}${end}\n`).join(''));
}

/** Ids and no more, as there may be many. */
async function targetsOf(
  client: ControlClient,
  { states }: TaskChange,
  { names, selector }: { readonly names: readonly TaskName[] | null; readonly selector: Selector },
): Promise<{ readonly taskIds: readonly TaskId[]; readonly missing: readonly TaskName[] }> {
  const taskIds = new Set<TaskId>();
  const missing: TaskName[] = [];
  for (const name of names ?? [null]) {
    // A task that is named by its id is not looked up: the server says what it is when it is changed.
    if (name?.kind === 'id' && selector.length === 0) {
      taskIds.add(name.text);
      continue;
    }
    const isOne = name !== null && name.kind !== 'pattern';
    const search = { names: name === null ? null : [name], selector, states: isOne ? null : states, limit: null };
    let hasFound = false;
    for await (const { tasks } of findTasks(client, search)) {
      hasFound ||= tasks.length > 0;
      for (const { taskId } of tasks) taskIds.add(taskId);
    }
    if (!hasFound && isOne) missing.push(name);
  }
  return { taskIds: [...taskIds], missing };
}

/** One after the other, so that an error of one task is told beside it; an error of the server ends it. */
async function applyToEach(
  { apply }: TaskChange,
  taskIds: readonly TaskId[],
  { output }: ChangeFlags,
  { client, ports }: { readonly client: ControlClient; readonly ports: CliPorts },
): Promise<number> {
  let code: number = exitCodes.ok;
  for (const taskId of taskIds) {
    try {
      const became = await apply(client, taskId);
      if (became === null) {
        ports.stderr.write(`There is no task ${taskId}.\n`);
        code = exitCodes.notFound;
      } else await writeOut(ports.stdout, output === 'name' ? `${taskId}\n` : `${taskId} ${became}\n`);
    } catch (error) {
      if (!(error instanceof DrydockError) || (error.kind !== 'terminal' && error.kind !== 'stale')) throw error;
      ports.stderr.write(`${taskId}: ${cellText(error.message)}\n`);
      code = Math.max(code, exitCodes.failed);
    }
  }
  return code;
}
