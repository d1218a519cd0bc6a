import { systemClock } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import type { ControlClient } from '../client/control-client.ts';
import { listOf, type Listing, type ListingEnd } from '../client/listing.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { OutputFormat } from '../print/output-format.ts';
import { sortRows, type Resource } from '../print/resource.ts';
import { startPrinter, type RowPrinter } from '../print/row-printer.ts';
import { writeOut } from '../print/write-out.ts';
import { cellText } from '../print/cell-text.ts';
import { lookOf } from '../report/text-look.ts';
import { runOnServer } from './server-verb.ts';
import { watchRows } from './watch.ts';

/** Flags of `drydock get`. */
export interface GetFlags extends ClientFlags {
  readonly output: OutputFormat;
  readonly selector?: string;
  readonly sortBy?: string;
  readonly limit: string;
  readonly all?: boolean;
  readonly headers: boolean;
  readonly watch?: boolean;
  readonly interval: string;
}

/** `drydock get`. */
export async function get(type: string, names: readonly string[], flags: GetFlags, ports: CliPorts): Promise<void> {
  await runOnServer(
    'get',
    () => {
      const limit = flags.all === true ? null : wholeNumber(flags.limit, '--limit', 1);
      const intervalMs = wholeNumber(flags.interval, '--interval', 1) * 1000;
      const listing = listOf(type, names, flags.selector ?? '');
      return (client) => listing.use((known) => new List(known, { flags, limit, intervalMs, ports }).print(client));
    },
    flags,
    ports,
  );
}

interface ListSettings {
  readonly flags: GetFlags;
  readonly limit: number | null;
  readonly intervalMs: number;
  readonly ports: CliPorts;
}

/** A list on its way to the screen. */
class List<Row> {
  readonly #listing: Listing<Row>;
  readonly #settings: ListSettings;

  constructor(listing: Listing<Row>, settings: ListSettings) {
    this.#listing = listing;
    this.#settings = settings;
    const { sortBy } = settings.flags;
    if (sortBy !== undefined && sortRows(listing.resource, sortBy, []) === null)
      throw new UsageError(
        `${listing.resource.plural} are not sorted by "${sortBy}": it is one of ${Object.keys(listing.resource.sortKeys).join(', ')}, with - before it from the end`,
      );
  }

  async print(client: ControlClient): Promise<number> {
    const { flags, ports, intervalMs } = this.#settings;
    const printer = await this.#startPrinter();
    if (flags.watch === true) {
      return await watchRows({
        read: () => this.#collect(client),
        keyOf: (row) => this.#listing.resource.nameOf(row),
        printer,
        intervalMs,
        ports,
        clock: systemClock,
      });
    }
    const { end, count } =
      flags.sortBy === undefined ? await this.#stream(client, printer) : await this.#sorted(client, printer);
    await writeOut(ports.stdout, end.missing.length > 0 && this.#listing.isSingle ? '' : printer.end());
    return this.#tellEnd(end, count);
  }

  async #stream(client: ControlClient, printer: RowPrinter<Row>): Promise<{ end: ListingEnd; count: number }> {
    const pages = this.#listing.pages(client, this.#settings.limit);
    let count = 0;
    for (;;) {
      const step = await pages.next();
      if (step.done === true) return { end: step.value, count };
      const { rows, nowMs } = step.value;
      count += rows.length;
      await writeOut(this.#settings.ports.stdout, await printer.rows(rows, nowMs));
    }
  }

  /** All of them are read before the first is printed; the limit counts after that. */
  async #sorted(client: ControlClient, printer: RowPrinter<Row>): Promise<{ end: ListingEnd; count: number }> {
    const { limit, ports } = this.#settings;
    const { rows, nowMs, end } = await this.#collect(client);
    const kept = limit === null ? rows : rows.slice(0, limit);
    await writeOut(ports.stdout, await printer.rows(kept, nowMs));
    return { end: { ...end, isCut: kept.length < rows.length }, count: kept.length };
  }

  async #collect(client: ControlClient): Promise<{ rows: readonly Row[]; nowMs: number; end: ListingEnd }> {
    const { flags, limit } = this.#settings;
    const pages = this.#listing.pages(client, flags.sortBy === undefined ? limit : null);
    const rows: Row[] = [];
    let nowMs = 0;
    for (;;) {
      const step = await pages.next();
      if (step.done === true) {
        const sorted = flags.sortBy === undefined ? null : sortRows(this.#listing.resource, flags.sortBy, rows);
        return { rows: sorted ?? rows, nowMs, end: step.value };
      }
      rows.push(...step.value.rows);
      nowMs = step.value.nowMs;
    }
  }

  async #startPrinter(): Promise<RowPrinter<Row>> {
    const { flags, ports } = this.#settings;
    const { stdout, environment } = ports;
    const { isColoured } = lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment });
    return await startPrinter<Row>(this.#listing.resource, {
      format: flags.output,
      hasHeaders: flags.headers,
      isColoured,
      isSingle: this.#listing.isSingle,
      isStream: flags.watch === true,
    });
  }

  #tellEnd({ missing, isCut }: ListingEnd, count: number): number {
    const { stderr } = this.#settings.ports;
    const { plural }: Resource<Row> = this.#listing.resource;
    for (const name of missing) stderr.write(`There is no ${cellText(name)} among the ${plural}.\n`);
    if (isCut) stderr.write(`Only ${String(count)} of the ${plural} are shown: --all shows all, --limit more.\n`);
    if (count === 0 && missing.length === 0) stderr.write(`No ${plural} found.\n`);
    return missing.length > 0 ? exitCodes.notFound : exitCodes.ok;
  }
}

function wholeNumber(text: string, flag: string, from: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= from)) throw new UsageError(`${flag} wants a whole number from ${String(from)} on, not "${text}"`);
  return number;
}
