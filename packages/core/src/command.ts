import type { Command } from './task.ts';
import { unreachable } from './unreachable.ts';

type Verb = Command['verb'];

/** Several lines that are data, not orders. `end` is the least number of letters that closes a fence. */
type Block =
  | { readonly kind: 'fence'; readonly letter: string; readonly end: number }
  | { readonly kind: 'quote' | 'html-comment' };

const commandLine = /^\/(?:drydock|claude)[ \t]+(review)[ \t]*$/i;
const fenceLine = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const quoteLine = /^>{3,}[ \t]*$/; // GitLab's quote over several lines
const maxCharacters = 100_000;

/**
 * The verb of a comment's first command line (`/drydock review` or `/claude review` on a line of its own), or null.
 * Quoted lines, indented and fenced code and HTML comments are data, not orders.
 */
export function parseCommand(comment: string): Verb | null {
  let block: Block | null = null;
  for (const line of comment.slice(0, maxCharacters).split(/\r\n|\r|\n/)) {
    if (block !== null) {
      if (closes(block, line)) block = null;
      continue;
    }
    if (commandLine.test(line)) return 'review';
    block = blockOpenedBy(line);
  }
  return null;
}

function blockOpenedBy(line: string): Block | null {
  const mark = fenceLine.exec(line)?.[1];
  if (mark !== undefined) return { kind: 'fence', letter: mark.charAt(0), end: mark.length };
  if (quoteLine.test(line)) return { kind: 'quote' };
  return line.lastIndexOf('<!--') > line.lastIndexOf('-->') ? { kind: 'html-comment' } : null;
}

function closes(block: Block, line: string): boolean {
  switch (block.kind) {
    case 'fence': {
      const [, mark = '', info = ''] = fenceLine.exec(line) ?? [];
      return mark.startsWith(block.letter) && mark.length >= block.end && info.trim() === '';
    }
    case 'quote':
      return quoteLine.test(line);
    case 'html-comment':
      return line.includes('-->');
    default:
      return unreachable(block);
  }
}
