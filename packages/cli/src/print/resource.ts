import type { Column } from './table.ts';

/** A kind of thing that can be listed: its names, its columns, and what it can be sorted by. */
export interface Resource<Row> {
  /** For people, as in "no tasks found". */
  readonly plural: string;
  /** The key of the list in JSON and YAML, as in the API. */
  readonly listKey: string;
  readonly columns: readonly Column<Row>[];
  /** The name that other commands take. */
  nameOf(row: Row): string;
  readonly sortKeys: Readonly<Record<string, (row: Row) => string | number>>;
}

/** Sorts by a key, `-key` from the end; equal ones keep their order. Null: there is no such key. */
export function sortRows<Row>(resource: Resource<Row>, key: string, rows: readonly Row[]): Row[] | null {
  const isBackward = key.startsWith('-');
  const name = isBackward ? key.slice(1) : key;
  const valueOf = Object.hasOwn(resource.sortKeys, name) ? resource.sortKeys[name] : undefined;
  if (valueOf === undefined) return null;
  const sign = isBackward ? -1 : 1;
  const keyed = rows.map((row) => ({ row, value: valueOf(row) }));
  return keyed.sort((one, other) => sign * compare(one.value, other.value)).map(({ row }) => row);
}

function compare(one: string | number, other: string | number): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
