import { Command } from './task.ts';

type Verb = Command['verb'];

const commandLine = /^\/(?:drydock|claude)[ \t]+(review)[ \t]*$/i;
const fence = /^ {0,3}(`{3,}|~{3,})/;

/**
 * The verb of a comment's first command line (`/drydock review` or `/claude review` on a line of its own), or null.
 * Quoted lines, indented code and fenced blocks are data, not orders.
 */
export function parseCommand(comment: string): Verb | null {
  let openFence: string | null = null;
  for (const line of comment.slice(0, 100_000).split(/\r\n|\r|\n/)) {
    const mark = fence.exec(line)?.[1];
    if (mark !== undefined) {
      if (openFence === null) openFence = mark;
      else if (mark.startsWith(openFence)) openFence = null;
      continue;
    }
    if (openFence === null && commandLine.test(line)) return 'review';
  }
  return null;
}
