import type { DeadLetterFilter, TaskId } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ControlClient } from '../client/control-client.ts';
import { refuseStandstill } from '../client/find-tasks.ts';
import { parseSelector, serverPart } from '../client/selector.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { writeOut } from '../print/write-out.ts';
import { count } from '../report/report-words.ts';
import { changeTasks, readTargets, tellDryRun, type ChangeFlags, type TaskChange } from './change-tasks.ts';
import { confirmChange } from './confirm-change.ts';
import { runOnServer } from './server-verb.ts';

/** Flags of `drydock retry`. */
export interface RetryFlags extends ChangeFlags {
  /** Code of the last error. */
  readonly code?: string;
}

const retrying: TaskChange = {
  verb: 'Retry',
  participle: 'retried',
  noun: 'dead letter',
  states: ['dead'],
  async apply(client, taskId) {
    const answer = await client.retry(taskId);
    switch (answer?.kind) {
      case 'queued':
        return 'is queued again';
      case 'running':
        return 'runs already';
      case 'waiting':
        return 'waits already';
      case undefined:
        return null;
    }
  },
};

/** `drydock retry`. */
export async function retry(texts: readonly string[], flags: RetryFlags, ports: CliPorts): Promise<void> {
  await runOnServer(
    'retry',
    () => {
      const selector = parseSelector(flags.selector ?? '', ['forge', 'project', 'kind', 'trigger']);
      const { code } = flags;
      const isAll = flags.all === true || (code !== undefined && texts.length === 0);
      const { names, isBulk } = readTargets(texts, selector, { ...flags, all: isAll });
      const { forge, project, isWhole } = serverPart(selector);
      if (code !== undefined && (names !== null || !isWhole))
        throw new UsageError('--code goes with --all, or with a --selector of one forge and one project glob');
      const filter: DeadLetterFilter = {
        ...(forge === null ? {} : { forge }),
        ...(project === null ? {} : { project }),
        ...(code === undefined ? {} : { code }),
      };
      // What the server can find by itself it retries by itself, in bounded steps.
      if (names === null && isWhole) return (client) => replayAll(client, filter, flags, ports);
      return (client) => changeTasks(retrying, { names, isBulk, selector }, flags, { client, ports });
    },
    flags,
    ports,
  );
}

async function replayAll(
  client: ControlClient,
  filter: DeadLetterFilter,
  flags: RetryFlags,
  ports: CliPorts,
): Promise<number> {
  let found = 0;
  for await (const taskIds of steps(client, filter, true)) {
    found += taskIds.length;
    if (flags.dryRun === true) await tellDryRun(retrying, taskIds, flags, ports);
  }
  if (found === 0) {
    ports.stderr.write('No dead letters found.\n');
    return exitCodes.ok;
  }
  if (flags.dryRun === true) return exitCodes.ok;
  const question = `Retry ${count(found, 'dead letter')}?`;
  if (!(await confirmChange(question, ports, flags.yes === true))) return exitCodes.failed;
  let retried = 0;
  for await (const taskIds of steps(client, filter, false)) {
    retried += taskIds.length;
    const end = flags.output === 'name' ? '' : ' is queued again';
    await writeOut(ports.stdout, taskIds.map((taskId) => `${taskId}${end}\n`).join(''));
  }
  ports.stderr.write(`Retried ${count(retried, 'dead letter')}.\n`);
  return exitCodes.ok;
}

/** Step by step, until the server says that there are no more. */
async function* steps(
  client: ControlClient,
  filter: DeadLetterFilter,
  isDryRun: boolean,
): AsyncGenerator<readonly TaskId[]> {
  let cursor: string | null = null;
  do {
    const step = await client.replay({ filter, limit: 500, isDryRun, cursor });
    yield step.retried;
    if (isDryRun || step.retried.length === 0) refuseStandstill(cursor, step.cursor);
    cursor = step.cursor;
  } while (cursor !== null);
}
