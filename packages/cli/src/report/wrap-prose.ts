/** Paragraphs, lists, fences, `code` and **bold** of Markdown as lines of a terminal. */
import wrapAnsi from 'wrap-ansi';
import type { Colours } from './text-look.ts';
import { visibleLine, visibleLines } from './visible-text.ts';

type Block = { readonly kind: 'text' | 'item' | 'code'; readonly mark: string; readonly text: string };

const maxLines = 400;

/** Lines of at most `width` columns, but for code. Consecutive lines are one paragraph, as Markdown has it. */
export function wrapProse(text: string, width: number, colours: Colours): string[] {
  const lines: string[] = [];
  for (const block of blocksOf(visibleLines(text.replace(/\r\n?/g, '\n')).slice(0, maxLines))) {
    if (block === null) {
      if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
      continue;
    }
    if (block.kind === 'code') {
      lines.push(`    ${block.text}`);
      continue;
    }
    const room = Math.max(10, width - block.mark.length);
    const wrapped = wrapAnsi(coloured(block.text, colours), room, { hard: true }).split('\n');
    lines.push(...wrapped.map((line, index) => `${index === 0 ? block.mark : ' '.repeat(block.mark.length)}${line}`));
  }
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Null: a blank line. */
function blocksOf(lines: readonly string[]): (Block | null)[] {
  const blocks: (Block | null)[] = [];
  let fence: string | null = null;
  for (const line of lines) {
    const bar = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      if (bar !== undefined && bar.startsWith(fence) && line.trim() === bar) fence = null;
      else blocks.push({ kind: 'code', mark: '', text: line });
      continue;
    }
    if (bar !== undefined) {
      fence = bar;
      continue;
    }
    addLine(blocks, line);
  }
  return blocks;
}

function addLine(blocks: (Block | null)[], line: string): void {
  const text = line.trim();
  const last = blocks.at(-1);
  const [, mark, item] = /^([-*+]|\d{1,3}[.)])\s+(\S.*)$/.exec(text) ?? [];
  if (text === '') blocks.push(null);
  else if (mark !== undefined && item !== undefined) {
    blocks.push({ kind: 'item', mark: `${/\d/.test(mark) ? mark : '-'} `, text: item });
  } else if (last !== undefined && last !== null && last.kind !== 'code') {
    blocks[blocks.length - 1] = { ...last, text: `${last.text} ${text}` };
  } else blocks.push({ kind: 'text', mark: '', text });
}

function coloured(text: string, colours: Colours): string {
  const line = visibleLine(text);
  if (!colours.isColorSupported) return line;
  return line.replace(
    /(`+)(.+?)\1(?!`)|\*\*(?!\s)(.+?)\*\*/g,
    (whole, _ticks, code: string | undefined, bold: string) =>
      code === undefined ? colours.bold(bold) : colours.cyan(whole),
  );
}
