import { pinoLog, type Log } from '@drydock/core';
import { destination, pino } from 'pino';
import { Counter, type Registry } from 'prom-client';

/** What waits for a reader of our output that is slow or gone; a line is about 200 bytes. */
const maxWaitingBytes = 256 * 1024;

/**
 * The log of a process, as lines of JSON on its standard output. Written beside the work and not in it: when nobody reads
 * any more, or the disk behind it is full, the process goes on, drops lines and counts them.
 */
export function openLog(component: string, registry: Registry, fileDescriptor = 1): Log {
  const dropped = new Counter({
    name: 'drydock_log_lines_dropped_total',
    help: 'Log lines that nobody took in time',
    registers: [registry],
  });
  const output = destination({ dest: fileDescriptor, sync: false, maxLength: maxWaitingBytes });
  output.on('drop', () => {
    dropped.inc();
  });
  output.on('error', () => {
    dropped.inc(); // what it held when the disk was full; it writes on when there is room
  });
  return pinoLog(pino({ base: { component } }, output));
}
