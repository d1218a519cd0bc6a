import { TerminalError, systemClock, type LogPage } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
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
        let page = await client.logs(taskId, { attempt: wanted, after: 0 });
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

/** The last number of a page. Entries that do not go on from where we are would be printed for ever. */
function lastSeq({ entries }: LogPage, after: number): number {
  let last = after;
  for (const { seq } of entries) {
    if (seq <= last) throw new TerminalError('control.bad_answer', 'The server sent entries of the log twice.');
    last = seq;
  }
  return last;
}
