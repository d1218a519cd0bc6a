import { jsonText } from '../report/json-text.ts';
import type { OutputFormat } from './output-format.ts';
import type { Resource } from './resource.ts';
import { startTable, type Table } from './table.ts';

/** Prints a list piece by piece, so that a long one need not be held. */
export interface RowPrinter<Row> {
  /** The text of some rows. */
  rows(rows: readonly Row[], nowMs: number): Promise<string> | string;
  /** What closes the list. */
  end(): string;
}

/** How a list is printed. */
export interface PrintSettings {
  readonly format: OutputFormat;
  readonly hasHeaders: boolean;
  readonly isColoured: boolean;
  /** The one thing that was asked for is printed by itself in JSON and YAML, not as a list. */
  readonly isSingle: boolean;
  /** Changes go on: in JSON and YAML each row is a document of its own. */
  readonly isStream: boolean;
}

/** Starts a list. */
export async function startPrinter<Row>(resource: Resource<Row>, settings: PrintSettings): Promise<RowPrinter<Row>> {
  switch (settings.format) {
    case 'table':
    case 'wide':
      return tablePrinter(
        startTable(resource.columns, {
          isWide: settings.format === 'wide',
          hasHeaders: settings.hasHeaders,
          isColoured: settings.isColoured,
        }),
      );
    case 'name':
      return { rows: (rows) => rows.map((row) => `${resource.nameOf(row)}\n`).join(''), end: () => '' };
    case 'json':
      return settings.isSingle || settings.isStream ? documents(jsonText) : jsonList(resource.listKey);
    case 'yaml': {
      const { yamlText } = await import('./yaml-text.ts'); // of no use to the other formats
      if (settings.isSingle) return documents(yamlText);
      return settings.isStream ? documents((row) => `---\n${yamlText(row)}`) : yamlList(resource.listKey, yamlText);
    }
  }
}

function tablePrinter<Row>(table: Table<Row>): RowPrinter<Row> {
  return { rows: (rows, nowMs) => (rows.length === 0 ? '' : table.print(rows, nowMs)), end: () => '' };
}

function documents<Row>(textOf: (row: Row) => string): RowPrinter<Row> {
  return { rows: (rows) => rows.map(textOf).join(''), end: () => '' };
}

function jsonList<Row>(key: string): RowPrinter<Row> {
  const head = `{\n  "v": 1,\n  "${key}": [`;
  let count = 0;
  return {
    rows(rows) {
      let text = count === 0 && rows.length > 0 ? head : '';
      for (const row of rows) {
        text += `${count === 0 ? '' : ','}\n    ${jsonText(row).trimEnd().replaceAll('\n', '\n    ')}`;
        count += 1;
      }
      return text;
    },
    end: () => (count === 0 ? `${head}]\n}\n` : '\n  ]\n}\n'),
  };
}

function yamlList<Row>(key: string, yamlText: (value: unknown) => string): RowPrinter<Row> {
  let isEmpty = true;
  return {
    rows(rows) {
      if (rows.length === 0) return '';
      const head = isEmpty ? `v: 1\n${key}:\n` : '';
      isEmpty = false;
      return head + yamlText(rows);
    },
    end: () => (isEmpty ? `v: 1\n${key}: []\n` : ''),
  };
}
