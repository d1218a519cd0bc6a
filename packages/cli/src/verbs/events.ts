import { systemClock, type TaskEvent } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import { exitCodes } from '../exit-codes.ts';
import { eventColumns } from '../print/describe-task.ts';
import type { Resource } from '../print/resource.ts';
import { startPrinter } from '../print/row-printer.ts';
import { writeOut } from '../print/write-out.ts';
import { lookOf } from '../report/text-look.ts';
import { noSuchTask, parseOneTask, taskIdNamed } from './one-task.ts';
import { runOnServer } from './server-verb.ts';
import { watchRows } from './watch.ts';

/** Flags of `drydock events`. */
export interface EventsFlags extends ClientFlags {
  readonly output: 'table' | 'json' | 'yaml';
  readonly headers: boolean;
  readonly watch?: boolean;
}

const eventResource: Resource<TaskEvent> = {
  plural: 'events',
  listKey: 'events',
  columns: eventColumns,
  nameOf: ({ what }) => what,
  sortKeys: {},
};
const intervalMs = 2000;

/** `drydock events`. */
export async function events(text: string, flags: EventsFlags, ports: CliPorts): Promise<void> {
  await runOnServer(
    'events',
    () => {
      const name = parseOneTask(text);
      return async (client) => {
        const taskId = await taskIdNamed(client, name);
        const first = taskId === null ? null : await client.events(taskId);
        if (taskId === null || first === null) {
          ports.stderr.write(noSuchTask(name));
          return exitCodes.notFound;
        }
        const { stdout, environment } = ports;
        const { isColoured } = lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment });
        const printer = await startPrinter(eventResource, {
          format: flags.output,
          hasHeaders: flags.headers,
          isColoured,
          isSingle: false,
          isStream: flags.watch === true,
        });
        if (flags.watch !== true) {
          await writeOut(stdout, (await printer.rows(first.events, first.nowMs)) + printer.end());
          return exitCodes.ok;
        }
        let known: typeof first | null = first;
        const read = async () => {
          const list = known ?? (await client.events(taskId));
          known = null;
          return { rows: list?.events ?? [], nowMs: list?.nowMs ?? 0 };
        };
        return await watchRows({
          read,
          keyOf: (event: TaskEvent) => JSON.stringify(event),
          printer,
          intervalMs,
          ports,
          clock: systemClock,
        });
      };
    },
    flags,
    ports,
  );
}
