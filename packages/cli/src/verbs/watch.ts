import { TransientError, type Clock } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { RowPrinter } from '../print/row-printer.ts';
import { writeOut } from '../print/write-out.ts';

/** What is watched, and how. */
export interface WatchSettings<Row> {
  readonly read: () => Promise<{ readonly rows: readonly Row[]; readonly nowMs: number }>;
  readonly keyOf: (row: Row) => string;
  readonly printer: RowPrinter<Row>;
  readonly intervalMs: number;
  readonly ports: Pick<CliPorts, 'stdout' | 'stderr' | 'signal'>;
  readonly clock: Clock;
}

/**
 * Prints all rows once, and then each that is new or has changed, below. Ends only by an error: that the user asked to
 * stop (`aborted`), or one that waiting does not mend; one that may pass is told once. Remembers the rows of the last
 * look alone.
 */
export async function watchRows<Row>(settings: WatchSettings<Row>): Promise<never> {
  const { read, keyOf, printer, intervalMs, ports, clock } = settings;
  let known = new Map<string, string>();
  let isFirst = true;
  let isTroubled = false;
  while (!ports.signal.aborted) {
    try {
      const { rows, nowMs } = await read();
      const now = new Map(rows.map((row) => [keyOf(row), JSON.stringify(row)]));
      const changed = rows.filter((row) => known.get(keyOf(row)) !== now.get(keyOf(row)));
      known = now;
      await writeOut(ports.stdout, await printer.rows(changed, nowMs));
      if (isTroubled) ports.stderr.write('The server answers again.\n');
      isTroubled = false;
    } catch (error) {
      if (isFirst || !(error instanceof TransientError) || error.code === 'aborted') throw error;
      if (!isTroubled) ports.stderr.write(`${error.message} Still trying; Ctrl-C ends it.\n`);
      isTroubled = true;
    }
    isFirst = false;
    await clock.sleep(intervalMs, ports.signal);
  }
  throw new TransientError('aborted', 'the user asked to stop');
}
