/**
 * Text of a model or of a merge request, made into Markdown that can do nothing but be read.
 *
 * A small dialect is understood (paragraphs, lists, `code`, fences, **bold**) and written anew; all else is escaped.
 * What a forge would act on becomes inline code, the one place where no version of it looks for references: escaping is
 * not enough, because references are looked for after the Markdown is parsed, and only newer versions remember what was
 * escaped. Fences are shown inside a quote, so that no line begins with a slash.
 */
import { showHiddenCharacters } from './hidden-characters.ts';

const maxFenceLines = 200;
const maxLines = 400;

/** Whether a word would notify, link, embed or run something if it stood in plain text. */
const live: readonly RegExp[] = [
  /@|\$|\^|~/, // mentions and e-mail; snippets and math; alerts and footnotes; labels
  /#[\p{L}\p{N}_"]|[!&]\d|%[\p{L}\p{N}_"{]/u, // issues, merge requests, epics, milestones, placeholders
  /\[\[|\[\w+:|!\[|\*\w+:[^\s*]/, // wiki links, [issue:1], images, *iteration:1
  /[a-z][a-z0-9+.-]*:\/\/|^[^\p{L}\p{N}]*(?:www\.|\/\/|\/)|\bwww\.|\b(?:mailto|xmpp|javascript|data):/iu,
  /::|:[\w+-]+:/, // includes, emoji
  /\b[A-Z][A-Z0-9_]+-\d/, // keys of issue trackers
  /\b[0-9a-f]{7,}\b/i, // commits
];

/** Several lines of Markdown, with a blank line nowhere at their ends. */
export function neutraliseText(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').split('\n').slice(0, maxLines);
  const blocks: string[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    const fence = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined) {
      blocks.push(neutraliseParagraphLine(line));
      continue;
    }
    const rest = lines.slice(index + 1);
    const end = rest.findIndex((candidate) => isFenceEnd(candidate, fence));
    const content = end < 0 ? rest : rest.slice(0, end);
    blocks.push('', quotedCode(content), '');
    index += content.length + 1;
  }
  return blocks
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** One line, such as a title. */
export function neutraliseLine(text: string): string {
  return neutraliseInline(text.replace(/\s+/g, ' ').trim());
}

/** A safe line as the cell of a table, where a bar must be escaped in code, too. */
export function tableCell(line: string): string {
  return line.replace(/(?<!\\)\|/g, '\\|');
}

/** Inline code that holds exactly this text, but for line feeds and what would be invisible. */
export function codeSpan(text: string): string {
  const content = defuseComments(showHiddenCharacters(text.replace(/\s+/g, ' ')));
  if (content.trim() === '') return '';
  const longest = longestRun(content);
  const fence = '`'.repeat(longest + 1);
  const pad = content.startsWith('`') || content.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${content}${pad}${fence}`;
}

/** Lines of code as a fence inside a quote: readable, copyable, and of no consequence. */
export function quotedCode(lines: readonly string[]): string {
  const kept = lines
    .slice(0, maxFenceLines)
    .map((line) => defuseComments(showHiddenCharacters(line.replace(/\r$/, ''))));
  if (lines.length > maxFenceLines) kept.push('…');
  const fence = '`'.repeat(Math.max(3, longestRun(kept.join('\n')) + 1));
  return [fence, ...kept, fence].map((line) => `> ${line}`).join('\n');
}

function isFenceEnd(line: string, fence: string): boolean {
  const bare = line.trim();
  return bare.length >= fence.length && bare === fence.charAt(0).repeat(bare.length);
}

function neutraliseParagraphLine(line: string): string {
  const [, mark, item] = /^\s*([-*+]|\d{1,3}[.)])\s+(\S.*)$/.exec(line) ?? [];
  if (mark === undefined || item === undefined) return escapeLineStart(neutraliseInline(line.trim()));
  return `${/\d/.test(mark) ? mark : '-'} ${escapeLineStart(neutraliseInline(item.trim()))}`;
}

/** What would open a block: a rule, a heading's underline, a list, a definition. */
function escapeLineStart(line: string): string {
  return /^[-+=:]|^\d+[.)]/.test(line) ? line.replace(/^(\d*)(.)/, '$1\\$2') : line;
}

interface Part {
  readonly isCode: boolean;
  readonly text: string;
}

function neutraliseInline(text: string): string {
  const rendered = wordsOf(splitCode(showHiddenCharacters(text)))
    .map(renderWord)
    .join(' ');
  // Bold that came in as such, and only around words that need nothing.
  return rendered.replace(/\\\*\\\*(?![\s*])([^*`]+?)(?<![\s\\])\\\*\\\*/g, '**$1**');
}

/** Code spans by CommonMark's rule: a run of backticks is closed by the next run of the same length. */
function splitCode(text: string): Part[] {
  const parts: Part[] = [];
  const backticks = [...text.matchAll(/`+/g)];
  let from = 0;
  for (const [index, open] of backticks.entries()) {
    if (open.index < from) continue;
    const close = backticks.slice(index + 1).find((run) => run[0].length === open[0].length);
    if (close === undefined) continue;
    parts.push({ isCode: false, text: text.slice(from, open.index) });
    parts.push({ isCode: true, text: text.slice(open.index + open[0].length, close.index) });
    from = close.index + close[0].length;
  }
  return [...parts, { isCode: false, text: text.slice(from) }];
}

/** Parts between white space, which is what stands next to each other when it is shown. */
function wordsOf(parts: readonly Part[]): Part[][] {
  const words: Part[][] = [[]];
  for (const part of parts) {
    if (part.isCode) {
      words.at(-1)?.push(part);
      continue;
    }
    for (const [index, piece] of part.text.split(/\s+/).entries()) {
      if (index > 0) words.push([]);
      if (piece !== '') words.at(-1)?.push({ isCode: false, text: piece });
    }
  }
  return words.filter((word) => word.length > 0);
}

function renderWord(word: readonly Part[]): string {
  const isLive = word.some((part) => !part.isCode && live.some((pattern) => pattern.test(part.text)));
  if (!isLive) return word.map((part) => (part.isCode ? codeSpan(part.text) : escapePlain(part.text))).join('');
  const whole = word.map((part) => part.text).join('');
  const [, before = '', core = '', after = ''] = /^([("']*)(.*?)([)"'.,;]*)$/s.exec(whole) ?? [];
  return `${before}${codeSpan(core)}${after}`;
}

/** A backslash as an entity, too: before a code span of ours, a reader less exact than CommonMark would take it for an escape. */
const entities: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '`': '&#96;',
  '\\': '&bsol;',
};

function escapePlain(text: string): string {
  return text.replace(/[<>&`]|[\\*_{}[\]|#]/g, (character) => entities[character] ?? `\\${character}`);
}

/** A comment of HTML could pass for a marker of ours. */
function defuseComments(text: string): string {
  return text.replaceAll('<!--', '<! --');
}

function longestRun(text: string): number {
  let longest = 0; // no spread: a hostile text has more runs than a call may have arguments
  for (const run of text.matchAll(/`+/g)) longest = Math.max(longest, run[0].length);
  return longest;
}
