import { systemClock, type TaskEvent } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import { exitCodes } from '../exit-codes.ts';
import { eventColumns } from '../print/describe-task.ts';
import type { Resource } from '../print/resource.ts';
import { startPrinter } from '../print/row-printer.ts';
import { pauseEventResource } from '../print/task-resource.ts';
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
      if (text === 'pauses') {
        return (client) => tell(pauseEventResource, () => client.pauseEvents(), flags, ports);
      }
      const name = parseOneTask(text);
      return async (client) => {
        const taskId = await taskIdNamed(client, name);
        const first = taskId === null ? null : await client.events(taskId);
        if (taskId === null || first === null) {
          ports.stderr.write(noSuchTask(name));
          return exitCodes.notFound;
        }
        let known: typeof first | null = first;
        const read = async () => {
          const list = known ?? (await client.events(taskId));
          known = null;
          return list ?? { events: [], nowMs: 0 };
        };
        return tell(eventResource, read, flags, ports);
      };
    },
    flags,
    ports,
  );
}

interface EventPage<Event> {
  readonly events: readonly Event[];
  readonly nowMs: number;
}

async function tell<Event>(
  resource: Resource<Event>,
  read: () => Promise<EventPage<Event>>,
  flags: EventsFlags,
  ports: CliPorts,
): Promise<number> {
  const { stdout, environment } = ports;
  const { isColoured } = lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment });
  const printer = await startPrinter(resource, {
    format: flags.output,
    hasHeaders: flags.headers,
    isColoured,
    isSingle: false,
    isStream: flags.watch === true,
  });
  if (flags.watch !== true) {
    const { events: found, nowMs } = await read();
    await writeOut(stdout, (await printer.rows(found, nowMs)) + printer.end());
    return exitCodes.ok;
  }
  return await watchRows({
    read: async () => {
      const { events: found, nowMs } = await read();
      return { rows: found, nowMs };
    },
    keyOf: (event: Event) => JSON.stringify(event),
    printer,
    intervalMs,
    ports,
    clock: systemClock,
  });
}
