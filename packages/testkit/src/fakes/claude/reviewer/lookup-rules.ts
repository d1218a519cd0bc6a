/** Rules whose suspicion a look into the repository confirms or clears. */
import { posix } from 'node:path';
import type { DiffRow, SearchHit, ShownFile } from './read-shown-diff.ts';
import { readNumberedLines, readSearchHits } from './read-shown-diff.ts';
import type { Claim, Rule, ShownChange } from './rule.ts';
import { addedCode, claimAt, isComment, isProse, isTestPath, literal, newSide } from './rule.ts';

const callStatement = /^(\s*)(?:this\.)?([A-Za-z_$][\w$]*)\(.*\);?\s*$/;
const keywords = new Set([
  'if',
  'for',
  'while',
  'switch',
  'return',
  'function',
  'catch',
  'super',
  'require',
  'describe',
  'it',
  'test',
  'expect',
]);

/** A call of an async function of the same file that nobody waits for. */
export const forgottenAwait: Rule = (file) => {
  if (!/\.[cm]?[jt]sx?$/.test(file.path)) return [];
  return newSide(file).flatMap((rows) =>
    rows.flatMap((row, index) => {
      const [, , name = ''] = callStatement.exec(row.text) ?? [];
      if (row.sign !== '+' || name === '' || keywords.has(name) || !beginsStatement(rows[index - 1])) return [];
      return [
        {
          lookup: { name: 'read_file' as const, input: { path: file.path } },
          conclude: (answer: string | null) => concludeAwait(file, row, name, answer),
        },
      ];
    }),
  );
};

function beginsStatement(before: DiffRow | undefined): boolean {
  const text = before?.text.trim() ?? '';
  return text === '' || /[;{}]$/.test(text) || isComment(text);
}

function concludeAwait(file: ShownFile, row: DiffRow, name: string, answer: string | null): readonly Claim[] {
  if (answer === null || row.newLine === null) return [];
  const lines = readNumberedLines(answer);
  const escaped = literal(name);
  const declaration = new RegExp(
    `\\basync\\s+function\\s+${escaped}\\b|\\b${escaped}\\s*=\\s*async\\b|^\\s*(?:(?:public|private|protected|static)\\s+)*async\\s+${escaped}\\s*\\(`,
  );
  if (![...lines.values()].some((line) => declaration.test(line))) return [];
  const isAsync = isInsideAsync(lines, row.newLine, row.text);
  const claim = claimAt(file, 'new', [row], {
    severity: 'high',
    category: 'correctness',
    confidence: 0.9,
    title: `Nobody waits for \`${name}\``,
    reason: `\`${name}\` is async, and its promise is dropped here: the code after this line runs before the work is done, and if it fails the failure is an unhandled rejection.`,
    ...(isAsync ? { suggestion: row.text.replace(/^(\s*)/, '$1await ') } : {}),
  });
  return claim === null ? [] : [claim];
}

/** Whether the innermost function around a line is async, told by indentation. */
function isInsideAsync(lines: ReadonlyMap<number, string>, at: number, text: string): boolean {
  let indent = indentOf(text);
  for (let number = at - 1; number >= 1; number -= 1) {
    const line = lines.get(number);
    if (line === undefined) return false;
    if (line.trim() === '' || indentOf(line) >= indent) continue;
    indent = indentOf(line);
    if (/^\s*\}?\s*(?:if|for|while|switch|try|else|catch|finally|do)\b/.test(line)) continue;
    if (/=>\s*\{?\s*$|\)\s*(?::[^{]*)?\{\s*$/.test(line)) return /\basync\b/.test(line);
  }
  return false;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

const checkCall = /\b((?:require|assert|check|verify|authori[sz]e|validate|ensure)(?:[A-Z_]\w*)?)\s*\(/;

/** A check that the change takes away and puts back nowhere. */
export const removedCheck: Rule = (file, change) => {
  if (isProse(file.path) || isTestPath(file.path) || file.status.startsWith('deleted')) return [];
  return file.hunks.flatMap((hunk) =>
    hunk.flatMap((row, index) => {
      const name = checkCall.exec(row.text)?.[1];
      if (row.sign !== '-' || name === undefined || !isGuard(row.text)) return [];
      if (isPutBack(change, file, name, hunk.slice(0, index))) return [];
      const rows = statementRows(hunk, index);
      return [
        {
          lookup: { name: 'search' as const, input: { pattern: `\\b${literal(name)}\\(`, ref: 'head' } },
          conclude: (answer: string | null) => concludeRemoved(file, rows, name, answer),
        },
      ];
    }),
  );
};

function isGuard(text: string): boolean {
  return (
    !isComment(text) &&
    !/\brequire\(\s*['"`]/.test(text) &&
    !/\b(?:function|def|fn|func|class|import|interface)\b/.test(text) &&
    !/^\s*(?:(?:async|public|private|static)\s+)*\w+\s*\([^)]*\)\s*(?::[^=]*)?\{\s*$/.test(text)
  );
}

/**
 * Whether the same call is added in this file, or in one that calls the function it was taken from: then the check has
 * moved. The same call in new code elsewhere checks something else.
 */
function isPutBack(change: ShownChange, file: ShownFile, name: string, before: readonly DiffRow[]): boolean {
  const call = new RegExp(`\\b${literal(name)}\\s*\\(`);
  const owner = before.map((row) => /\b(?:function|def|fn|func)\s+(\w+)/.exec(row.text)?.[1]).findLast(Boolean);
  return change.files.some((other) => {
    if (!addedCode(other).some((row) => call.test(row.text))) return false;
    if (other.path === file.path) return true;
    return (
      owner !== undefined &&
      newSide(other)
        .flat()
        .some((row) => row.text.includes(`${owner}(`))
    );
  });
}

/** The removed rows that belong to the statement: until its brackets close. */
function statementRows(hunk: readonly DiffRow[], start: number): readonly DiffRow[] {
  let open = 0;
  for (let end = start; end < hunk.length && hunk[end]?.sign === '-'; end += 1) {
    const text = hunk[end]?.text ?? '';
    open += (text.match(/[([{]/g) ?? []).length - (text.match(/[)\]}]/g) ?? []).length;
    if (open <= 0) return hunk.slice(start, end + 1);
  }
  return hunk.slice(start, start + 1);
}

function concludeRemoved(
  file: ShownFile,
  rows: readonly DiffRow[],
  name: string,
  answer: string | null,
): readonly Claim[] {
  const callers = answer === null ? [] : readSearchHits(answer).filter((hit) => isOtherCaller(hit, file, name));
  const [first] = callers;
  const elsewhere =
    first === undefined
      ? ''
      : ` Elsewhere it is still called, for example in \`${first.path}\` line ${String(first.line)}.`;
  const claim = claimAt(file, 'old', rows, {
    severity: 'high',
    category: 'security',
    confidence: first === undefined ? 0.7 : 0.85,
    title: `The check \`${name}\` is gone`,
    reason: `The change removes this check and puts nothing in its place, so what it refused is now allowed.${elsewhere} If that is meant, say so in the description.`,
  });
  return claim === null ? [] : [claim];
}

function isOtherCaller(hit: SearchHit, file: ShownFile, name: string): boolean {
  const isDefinition = new RegExp(`\\b(?:function|def|fn|func)\\s+${literal(name)}\\b`).test(hit.text);
  return hit.path !== file.path && !isDefinition && !isTestPath(hit.path) && !isProse(hit.path);
}

/** A file that moved while something still imports it from where it was. */
export const staleImport: Rule = (file, change) => {
  const { oldPath } = file;
  if (oldPath === null || !file.status.startsWith('renamed') || isProse(oldPath)) return [];
  const stem = posix.basename(oldPath).replace(/\.\w+$/, '');
  const pattern = `['"][^'"]*\\b${literal(stem)}(\\.[a-z]+)?['"]`;
  return [
    {
      lookup: { name: 'search' as const, input: { pattern, ref: 'head' } },
      conclude: (answer: string | null) =>
        answer === null
          ? []
          : concludeImports(
              file,
              change,
              readSearchHits(answer).flatMap((hit) => staleHit(file, hit)),
            ),
    },
  ];
};

interface StaleHit extends SearchHit {
  /** The line with the new place of the file. */
  readonly mended: string;
}

function staleHit(file: ShownFile, hit: SearchHit): readonly StaleHit[] {
  const [, specifier] = /\b(?:from|import|require)\b\s*\(?\s*['"](\.[^'"]+)['"]/.exec(hit.text) ?? [];
  if (specifier === undefined) return [];
  const folder = posix.dirname(hit.path);
  const target = posix.join(folder, specifier);
  const hasEnding = target === file.oldPath;
  if (!hasEnding && target !== file.oldPath?.replace(/\.\w+$/, '')) return [];
  const relative = posix.relative(folder, hasEnding ? file.path : file.path.replace(/\.\w+$/, ''));
  return [{ ...hit, mended: hit.text.replace(specifier, relative.startsWith('.') ? relative : `./${relative}`) }];
}

/** At the import where its file is part of the change; for files that are not, once, where the renamed file changes. */
function concludeImports(file: ShownFile, change: ShownChange, hits: readonly StaleHit[]): readonly Claim[] {
  const isShown = (hit: StaleHit) => change.files.some((other) => other.path === hit.path);
  const here = hits.filter(isShown).map((hit): Claim => ({
    path: hit.path,
    side: 'new',
    startLine: hit.line,
    endLine: hit.line,
    ...staleText,
    quotedCode: hit.text,
    reason: `The change renames \`${String(file.oldPath)}\` to \`${file.path}\`, and this line still imports it from where it was. It fails as soon as it is loaded.`,
    suggestion: hit.mended,
  }));
  const elsewhere = hits.filter((hit) => !isShown(hit));
  const row = addedCode(file)[0] ?? newSide(file).flat()[0];
  if (elsewhere.length === 0 || row === undefined) return here;
  const places = elsewhere.slice(0, 5).map((hit) => `\`${hit.path}\` line ${String(hit.line)}`);
  const claim = claimAt(file, 'new', [row], {
    ...staleText,
    reason: `The change renames \`${String(file.oldPath)}\` to this file, and it is still imported from where it was: ${places.join(', ')}. That fails as soon as it is loaded.`,
  });
  return claim === null ? here : [...here, claim];
}

const staleText = {
  severity: 'high',
  category: 'correctness',
  confidence: 0.95,
  title: 'An import still names the old file',
} as const;

const linesBefore = 12;

/** A division by a length that nothing keeps from being zero. */
export const divisionByLength: Rule = (file) => {
  if (isProse(file.path) || isTestPath(file.path)) return [];
  return addedCode(file).flatMap((row) => {
    const [, name] = /\/\s*([A-Za-z_$][\w.$]*)\.length\b/.exec(row.text) ?? [];
    if (name === undefined || row.newLine === null) return [];
    const startLine = Math.max(1, row.newLine - linesBefore);
    return [
      {
        lookup: { name: 'read_file' as const, input: { path: file.path, startLine, endLine: row.newLine } },
        conclude: (answer: string | null) => concludeDivision(file, row, name, answer),
      },
    ];
  });
};

function concludeDivision(file: ShownFile, row: DiffRow, name: string, answer: string | null): readonly Claim[] {
  if (answer === null) return [];
  const length = `${literal(name)}\\.length`;
  const guard = new RegExp(`!${length}|${length}\\s*(?:===?|!==?|[<>]=?|\\?|&&|\\|\\|)|Math\\.max\\(`);
  if ([...readNumberedLines(answer).values()].some((line) => guard.test(line))) return [];
  const claim = claimAt(file, 'new', [row], {
    severity: 'medium',
    category: 'correctness',
    confidence: 0.75,
    title: 'Divides by zero when there is nothing',
    reason: `Nothing before this line keeps \`${name}\` from being empty, and then the result is \`NaN\`, which spreads through every sum it enters. Decide what the answer for an empty list is.`,
  });
  return claim === null ? [] : [claim];
}
