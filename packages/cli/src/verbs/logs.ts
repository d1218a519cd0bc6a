import { TerminalError, systemClock, type LogPage, type TaskId } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import type { ControlClient } from '../client/control-client.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { logJson, logLine } from '../print/log-lines.ts';
import { writeOut } from '../print/write-out.ts';
import { noSuchTask, parseOneTask, taskIdNamed } from './one-task.ts';
import { runOnServer } from './server-verb.ts';

/** Flags of `drydock logs`. */
export interface LogsFlags extends ClientFlags {
  readonly follow?: boolean;
  readonly attempt?: string;
  readonly output: 'text' | 'json';
}

const followMs = 1000;

/** `drydock logs`. */
export async function logs(text: string, flags: LogsFlags, ports: CliPorts): Promise<void> {
  await runOnServer(
    'logs',
    () => {
      const name = parseOneTask(text);
      if (flags.attempt !== undefined && !/^[1-9]\d{0,6}$/.test(flags.attempt))
        throw new UsageError(`--attempt wants a number from 1 on, not "${flags.attempt}"`);
      const wanted = flags.attempt === undefined ? null : Number(flags.attempt);
      const textOf = flags.output === 'json' ? logJson : logLine;
      return async (client) => {
        const taskId = await taskIdNamed(client, name);
        if (taskId === null) {
          ports.stderr.write(noSuchTask(name));
          return exitCodes.notFound;
        }
        let page = await firstPage(client, taskId, { wanted, isFollowed: flags.follow === true, ports });
        // A retry begins another attempt meanwhile; what is followed is the one that was begun with.
        const { attempt } = page;
        let after = 0;
        for (;;) {
          await writeOut(ports.stdout, page.entries.map(textOf).join(''));
          const last = lastSeq(page, after);
          if (page.isOver && last === after) break;
          if (last === after) {
            if (flags.follow !== true) break;
            await systemClock.sleep(followMs, ports.signal);
          }
          after = last;
          page = await client.logs(taskId, { attempt, after });
        }
        return exitCodes.ok;
      };
    },
    flags,
    ports,
  );
}

interface Wanted {
  readonly wanted: number | null;
  readonly isFollowed: boolean;
  readonly ports: CliPorts;
}

/** Who follows waits for an attempt that is still to come. */
async function firstPage(client: ControlClient, taskId: TaskId, { wanted, isFollowed, ports }: Wanted) {
  let hasTold = false;
  for (;;) {
    try {
      return await client.logs(taskId, { attempt: wanted, after: 0 });
    } catch (error) {
      const isMissing = error instanceof TerminalError && error.code === 'request.not_found';
      if (!isFollowed || !isMissing || !(await isToCome(client, taskId, wanted ?? 1))) throw error;
    }
    if (!hasTold) ports.stderr.write('Waiting for an agent to be started.\n');
    hasTold = true;
    await systemClock.sleep(followMs, ports.signal);
  }
}

async function isToCome(client: ControlClient, taskId: TaskId, attempt: number): Promise<boolean> {
  const task = (await client.task(taskId))?.task;
  return task !== undefined && task.attempt < attempt && task.endedAtMs === null;
}

/** The last number of a page. Entries that do not go on from where we are would be printed for ever. */
function lastSeq({ entries }: LogPage, after: number): number {
  let last = after;
  for (const { seq } of entries) {
    if (seq <= last) throw new TerminalError('control.bad_answer', 'The server sent entries of the log twice.');
    last = seq;
  }
  return last;
}
