import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter();

/** The part of a line that fits into so many columns, with a sign where some is missing; null: all of it. */
export function fitColumns(line: string, columns: number | null): string {
  if (columns === null) return line;
  // A minified file is not measured to its end.
  const start = line.slice(0, columns * 20);
  if (start === line && stringWidth(line) <= columns) return line;
  let kept = '';
  let width = 0;
  for (const { segment } of graphemes.segment(start)) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept.toWellFormed()}…`;
}
