/**
 * The block structure of a Markdown text, as far as it decides what is code and what is a top-level paragraph:
 * CommonMark's fences, indented code, HTML blocks, quotes, lists and lazy continuation, and GitLab's `>>>` quotes.
 * Where this is coarser than GitLab's parser (tables, link definitions) it takes more for a paragraph, so a leak shows.
 * @see https://spec.commonmark.org/0.31.2/
 */

/** A leaf of the document. Lines are 0-based and inclusive, in the whole text. */
export interface MarkdownBlock {
  readonly kind: 'paragraph' | 'code' | 'html' | 'heading';
  readonly startLine: number;
  readonly endLine: number;
  /** Not inside a quote or a list. HTML elements around it do not count: GitLab looks for commands with HTML off. */
  readonly isTopLevel: boolean;
  /** The lines without the marks of the containers around them; for a fence, what it holds. */
  readonly text: string;
  /** What follows the opening fence; null for anything else. */
  readonly info: string | null;
}

interface Line {
  readonly text: string;
  readonly number: number;
}

/** The leaves of a text, in order. Carriage returns must be gone. */
export function parseMarkdown(text: string): readonly MarkdownBlock[] {
  const blocks: MarkdownBlock[] = [];
  const lines = text.split('\n').map((line, number) => ({ text: line, number }));
  parseLines(lines, blocks, 0);
  return blocks;
}

/** What is nested deeper is a paragraph: a hostile text must not exhaust the stack. */
const maxDepth = 50;

const fencePattern = /^ {0,3}(?:(`{3,})([^`]*)|(~{3,})(.*))$/;
const blockQuotePattern = /^ {0,3}> ?/;
const multilineQuotePattern = /^ {0,3}(>{3,})[ \t]*$/;
const headingPattern = /^ {0,3}#{1,6}(?:[ \t]|$)/;
const setextPattern = /^ {0,3}(?:=+|-+)[ \t]*$/;
const thematicBreakPattern = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const listPattern = /^( {0,3}(?:[-+*]|\d{1,9}[.)]))( {1,4}(?! )|[ \t]|$)/;
const indentPattern = /^(?: {4}| {0,3}\t)/;
const isBlank = (line: string): boolean => /^[ \t]*$/.test(line);

/** Whether the last block is a paragraph that a following line may continue. */
type Open = 'paragraph' | 'closed';

function parseLines(lines: readonly Line[], blocks: MarkdownBlock[], depth: number): Open {
  let paragraph: Line[] = [];
  const flush = (kind: 'paragraph' | 'heading' = 'paragraph') => {
    if (paragraph.length > 0) addBlock(blocks, kind, paragraph, depth);
    paragraph = [];
  };
  for (let index = 0; index < lines.length;) {
    const line = lines[index];
    if (line === undefined) break;
    const rest = lines.slice(index);
    if (isBlank(line.text)) {
      flush();
      index++;
      continue;
    }
    if (paragraph.length > 0 && setextPattern.test(line.text)) {
      paragraph.push(line);
      flush('heading');
      index++;
      continue;
    }
    const taken = takeBlock(rest, blocks, depth, paragraph.length > 0, flush);
    if (taken === 0) paragraph.push(line);
    index += Math.max(taken, 1);
  }
  const open = paragraph.length > 0 ? 'paragraph' : 'closed';
  flush();
  return open;
}

/** How many lines a block other than a paragraph takes from the front; 0 where none begins. */
function takeBlock(
  lines: readonly Line[],
  blocks: MarkdownBlock[],
  depth: number,
  isInParagraph: boolean,
  flush: () => void,
): number {
  const first = lines[0]?.text ?? '';
  const take = (count: number, add: (taken: readonly Line[]) => void): number => {
    flush();
    add(lines.slice(0, count));
    return count;
  };
  if (!isInParagraph && indentPattern.test(first)) {
    return take(countIndented(lines), (taken) => {
      addBlock(blocks, 'code', taken, depth);
    });
  }
  const fence = fencePattern.exec(first);
  if (fence !== null) {
    const count = countFenced(lines, fence[1] ?? fence[3] ?? '');
    const info = (fence[2] ?? fence[4] ?? '').trim();
    return take(count, (taken) => {
      addBlock(blocks, 'code', taken, depth, info);
    });
  }
  const multiline = multilineQuotePattern.exec(first);
  if (multiline !== null && depth < maxDepth) {
    const end = lines.findIndex(
      (line, index) => index > 0 && multilineQuotePattern.exec(line.text)?.[1] === multiline[1],
    );
    const count = end === -1 ? lines.length : end + 1;
    return take(count, (taken) => {
      parseLines(taken.slice(1, end === -1 ? undefined : -1), blocks, depth + 1);
    });
  }
  const canNest = depth < maxDepth;
  if (canNest && blockQuotePattern.test(first)) return takeContainer(lines, blocks, depth, flush, quoteLine);
  if (headingPattern.test(first)) {
    return take(1, (taken) => {
      addBlock(blocks, 'heading', taken, depth);
    });
  }
  if (thematicBreakPattern.test(first)) return take(1, () => undefined);
  const list = listPattern.exec(first);
  if (canNest && list !== null && !(isInParagraph && isNoInterruption(first, list))) {
    const width = (list[1]?.length ?? 0) + (/^ {1,4}$/.test(list[2] ?? '') ? (list[2]?.length ?? 0) : 1);
    return takeContainer(lines, blocks, depth, flush, (text, index) => {
      if (index === 0) return text.slice(width);
      if (isBlank(text)) return '';
      return text.startsWith(' '.repeat(width)) ? text.slice(width) : null;
    });
  }
  const htmlEnd = htmlBlockEnd(first, isInParagraph);
  if (htmlEnd === null) return 0;
  return take(countHtml(lines, htmlEnd), (taken) => {
    addBlock(blocks, 'html', taken, depth);
  });
}

function isNoInterruption(first: string, list: RegExpExecArray): boolean {
  const isEmpty = isBlank(first.slice(list[0].length));
  return isEmpty || (/\d/.test(list[1] ?? '') && !/^ {0,3}1[.)]/.test(first));
}

const quoteLine = (text: string): string | null =>
  blockQuotePattern.test(text) ? text.replace(blockQuotePattern, '') : null;

/** A quote or a list item: its own lines, and lazy ones that continue a paragraph at its end. */
function takeContainer(
  lines: readonly Line[],
  blocks: MarkdownBlock[],
  depth: number,
  flush: () => void,
  strip: (text: string, index: number) => string | null,
): number {
  flush();
  const inner: Line[] = [];
  let count = 0;
  for (const [index, line] of lines.entries()) {
    const text = strip(line.text, index);
    if (text !== null) inner.push({ text, number: line.number });
    else if (!isBlank(line.text) && isLazy(line.text) && endsInParagraph(inner, depth + 1)) inner.push(line);
    else break;
    count++;
  }
  parseLines(inner, blocks, depth + 1);
  return count;
}

function endsInParagraph(lines: readonly Line[], depth: number): boolean {
  return parseLines(lines, [], depth) === 'paragraph';
}

function isLazy(text: string): boolean {
  if (fencePattern.test(text) || blockQuotePattern.test(text) || headingPattern.test(text)) return false;
  return !thematicBreakPattern.test(text) && !listPattern.test(text) && htmlBlockEnd(text, true) === null;
}

function countIndented(lines: readonly Line[]): number {
  const end = lines.findIndex((line) => !isBlank(line.text) && !indentPattern.test(line.text));
  return end === -1 ? lines.length : end;
}

function countFenced(lines: readonly Line[], opening: string): number {
  const closing = new RegExp(`^ {0,3}\\${opening.charAt(0)}{${opening.length},}[ \\t]*$`);
  const end = lines.findIndex((line, index) => index > 0 && closing.test(line.text));
  return end === -1 ? lines.length : end + 1;
}

const blockTags =
  'address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul';
const attribute = '(?:\\s+[a-zA-Z_:][\\w.:-]*(?:\\s*=\\s*(?:[^\\s"\'=<>`]+|\'[^\']*\'|"[^"]*"))?)';
const htmlKinds: readonly (readonly [start: RegExp, end: RegExp, interrupts: boolean])[] = [
  [/^ {0,3}<(?:script|pre|style|textarea)(?:[\s>]|$)/i, /<\/(?:script|pre|style|textarea)>/i, true],
  [/^ {0,3}<!--/, /-->/, true],
  [/^ {0,3}<\?/, /\?>/, true],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/, true],
  [/^ {0,3}<![a-zA-Z]/, />/, true],
  [new RegExp(`^ {0,3}</?(?:${blockTags})(?:\\s|/?>|$)`, 'i'), /^[ \t]*$/, true],
  [new RegExp(`^ {0,3}(?:<[a-zA-Z][\\w-]*${attribute}*\\s*/?>|</[a-zA-Z][\\w-]*\\s*>)[ \\t]*$`), /^[ \t]*$/, false],
];

/** What ends the HTML block that begins with this line; null where none begins. */
function htmlBlockEnd(text: string, isInParagraph: boolean): RegExp | null {
  const kind = htmlKinds.find(([start, , interrupts]) => start.test(text) && (interrupts || !isInParagraph));
  return kind?.[1] ?? null;
}

function countHtml(lines: readonly Line[], end: RegExp): number {
  const last = lines.findIndex((line) => end.test(line.text));
  if (last === -1) return lines.length;
  return isBlank(lines[last]?.text ?? '') ? last : last + 1;
}

function addBlock(
  blocks: MarkdownBlock[],
  kind: MarkdownBlock['kind'],
  lines: readonly Line[],
  depth: number,
  info: string | null = null,
): void {
  const isFence = info !== null;
  const first = lines[0]?.number ?? 0;
  const content = isFence ? fenceContent(lines) : lines;
  blocks.push({
    kind,
    startLine: first,
    endLine: lines.at(-1)?.number ?? first,
    isTopLevel: depth === 0,
    text: content.map((line) => line.text).join('\n'),
    info,
  });
}

function fenceContent(lines: readonly Line[]): readonly Line[] {
  const opening = fencePattern.exec(lines[0]?.text ?? '');
  const fence = opening?.[1] ?? opening?.[3] ?? '';
  const isClosed =
    lines.length > 1 && countFenced(lines, fence) === lines.length && isFenceEnd(lines.at(-1)?.text ?? '', fence);
  return lines.slice(1, isClosed ? -1 : undefined);
}

function isFenceEnd(text: string, fence: string): boolean {
  const bare = text.trim();
  return bare.length >= fence.length && bare === fence.charAt(0).repeat(bare.length);
}
