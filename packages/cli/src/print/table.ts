import pc from 'picocolors';
import { cellText, isPlain } from './cell-text.ts';

/** How a cell is painted on a terminal. */
export type CellColour = 'red' | 'green' | 'yellow' | 'cyan' | 'dim';

/** One column of a table of `Row`s. */
export interface Column<Row> {
  readonly header: string;
  /** Shown only in the wide form. */
  readonly isWide?: true;
  /** The text, as it came: what a terminal must not see is made visible by the table. */
  cell(row: Row, nowMs: number): string;
  colour?(row: Row): CellColour | null;
}

/** How a table looks. */
export interface TableLook {
  readonly isWide: boolean;
  readonly hasHeaders: boolean;
  readonly isColoured: boolean;
}

/** A table that is printed page by page: a column never gets narrower, so that later pages stand below earlier ones. */
export interface Table<Row> {
  /** The lines of these rows; the first call, even without rows, gives the header too. */
  print(rows: readonly Row[], nowMs: number): Promise<string>;
}

const gap = '   ';
const none = '<none>';

/** Starts a table. */
export function startTable<Row>(columns: readonly Column<Row>[], look: TableLook): Table<Row> {
  const shown = columns.filter(({ isWide }) => isWide !== true || look.isWide);
  const colours = pc.createColors(look.isColoured);
  const widths = shown.map(({ header }) => (look.hasHeaders ? header.length : 0));
  let isFirst = true;
  let widthOf = (text: string) => text.length;

  const line = (texts: readonly string[], paint: (text: string, index: number) => string) =>
    texts
      .map((text, index) => {
        const isLast = index === texts.length - 1;
        const missing = isLast ? 0 : (widths[index] ?? 0) - widthOf(text);
        return paint(text, index) + ' '.repeat(Math.max(0, missing));
      })
      .join(gap);

  return {
    async print(rows, nowMs) {
      const texts = rows.map((row) => shown.map((column) => cellText(column.cell(row, nowMs)) || none));
      if (!texts.every((cells) => cells.every(isPlain))) widthOf = await loadWidths();
      for (const cells of texts)
        for (const [index, text] of cells.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(text));
      const lines: string[] = [];
      if (isFirst && look.hasHeaders)
        lines.push(
          line(
            shown.map(({ header }) => header),
            colours.bold,
          ),
        );
      isFirst = false;
      for (const [at, cells] of texts.entries()) {
        const row = rows[at];
        const paint = (text: string, index: number) => {
          const colour = row === undefined || !look.isColoured ? null : (shown[index]?.colour?.(row) ?? null);
          return colour === null ? text : colours[colour](text);
        };
        lines.push(line(cells, paint));
      }
      return lines.map((text) => `${text}\n`).join('');
    },
  };
}

/** Only for what is not plain: to load it takes as long as to print a page. */
async function loadWidths(): Promise<(text: string) => number> {
  const { default: stringWidth } = await import('string-width');
  return (text) => (isPlain(text) ? text.length : stringWidth(text));
}
