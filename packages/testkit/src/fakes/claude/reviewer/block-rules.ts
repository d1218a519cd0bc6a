/** Rules that look at several lines of a hunk. */
import type { DiffRow } from './read-shown-diff.ts';
import type { Rule } from './rule.ts';
import { certain, claimAt, isComment, isProse, isTestPath, newSide } from './rule.ts';

const sqlVerb = '(?:SELECT|INSERT\\s+INTO|UPDATE|DELETE\\s+FROM)\\b';
const templateStart = new RegExp(`(?:^|[^\\w\`])\`\\s*${sqlVerb}`);
const joinedSql = new RegExp(
  `(["'])${sqlVerb}[^"']*.*\\1\\s*[+%]\\s*[A-Za-z_$]|\\bf(["'])${sqlVerb}.*\\{[^}]+\\}.*\\2`,
);
const interpolation = /\$\{(?!\s*[A-Z][A-Z0-9_]*\s*\})/; // a constant's name is no input
const maxTemplateRows = 40;

/** A database statement with a value written into its text. */
export const sqlFromText: Rule = (file) => {
  if (isProse(file.path) || isTestPath(file.path)) return [];
  return newSide(file).flatMap((rows) =>
    rows.flatMap((row, index) => {
      if (isComment(row.text)) return [];
      const block = templateStart.test(row.text) ? templateRows(rows, index) : joinedSql.test(row.text) ? [row] : [];
      const isTemplate = templateStart.test(row.text);
      const isSuspect = block.some((part) => part.sign === '+' && (!isTemplate || interpolation.test(part.text)));
      if (!isSuspect) return [];
      return certain(
        claimAt(file, 'new', block, {
          severity: 'critical',
          category: 'security',
          confidence: 0.9,
          title: 'A value becomes part of the SQL statement',
          reason:
            'The value is written into the text of the statement, so a quote in it ends the literal and the rest is run as SQL. Pass it as a parameter of the query instead.',
        }),
      );
    }),
  );
};

function templateRows(rows: readonly DiffRow[], start: number): readonly DiffRow[] {
  let ticks = 0;
  for (let end = start; end < Math.min(rows.length, start + maxTemplateRows); end += 1) {
    ticks += (rows[end]?.text.match(/(?<!\\)`/g) ?? []).length;
    if (ticks >= 2) return rows.slice(start, end + 1);
  }
  return [];
}

const catchLine = /\bcatch\b\s*(?:\([^)]*\))?\s*\{\s*(.*)$|^\s*(except\b.*):\s*(?:pass)?\s*$/;
const excuse = /\b(?:expected|optional|ignored? because|best effort|may not exist|already|not an error|fine)\b/i;

/** An error that is caught and forgotten. */
export const swallowedError: Rule = (file) => {
  if (isProse(file.path) || isTestPath(file.path)) return [];
  return newSide(file).flatMap((rows) =>
    rows.flatMap((row, index) => {
      const block = emptyCatch(rows, index);
      if (block === null || !block.some((part) => part.sign === '+')) return [];
      if (block.some((part) => excuse.test(part.text)) || isComment(row.text)) return [];
      return certain(
        claimAt(file, 'new', block, {
          severity: 'medium',
          category: 'correctness',
          confidence: 0.85,
          title: 'A failure disappears here',
          reason:
            'Whatever fails in this block is caught and dropped: the caller goes on as if it had worked, and no log says otherwise. Let it through, or record it and say why going on is right.',
        }),
      );
    }),
  );
};

function emptyCatch(rows: readonly DiffRow[], start: number): readonly DiffRow[] | null {
  const text = rows[start]?.text ?? '';
  if (/\.catch\(\s*(?:\(\w*\)|\w+)\s*=>\s*(?:\{\s*\}|undefined|null|void 0)\s*\)/.test(text))
    return rows.slice(start, start + 1);
  const match = catchLine.exec(text);
  if (match === null) return null;
  if (match[2] !== undefined) return pythonBlock(rows, start);
  if (/^\}/.test(match[1] ?? '')) return rows.slice(start, start + 1);
  if ((match[1] ?? '') !== '' && !isComment(match[1] ?? '')) return null;
  for (let end = start + 1; end < rows.length; end += 1) {
    const inner = rows[end]?.text ?? '';
    if (/^\s*\}/.test(inner)) return rows.slice(start, end + 1);
    if (inner.trim() !== '' && !isComment(inner)) return null;
  }
  return null;
}

function pythonBlock(rows: readonly DiffRow[], start: number): readonly DiffRow[] | null {
  if (/:\s*pass\s*$/.test(rows[start]?.text ?? '')) return rows.slice(start, start + 1);
  return /^\s*pass\s*$/.test(rows[start + 1]?.text ?? '') ? rows.slice(start, start + 2) : null;
}
