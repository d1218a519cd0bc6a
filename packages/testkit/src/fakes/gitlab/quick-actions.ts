/**
 * Which lines of a comment GitLab would run as commands. Two generations of GitLab disagree, and a client cannot know
 * which one it talks to, so the fake runs what either would:
 *
 * - the older one takes every line that begins with `/` and a known command, in any letter case, except inside what its
 *   regular expressions take for code, inline code on lines of its own, HTML and `>>>` quotes. A fence of four
 *   backticks, a fence that is not closed and a quote with `>` protect nothing. (Some releases were also kept from
 *   commands by any backtick at the end of a later line; no client should live by that accident.)
 * - the newer one looks only into paragraphs at the top level of the Markdown, and there not into inline code. A
 *   paragraph between `<details>` and `</details>` is at the top level, for it parses with HTML off.
 *
 * Both first drop every carriage return.
 */
import { parseMarkdown } from './markdown-blocks.ts';

/** A command found in a text. */
export interface QuickAction {
  /** Lower case, without the slash. */
  readonly name: string;
  /** The rest of its line; empty for none. */
  readonly argument: string;
}

/** What a text holds besides its words. */
export interface ExtractedQuickActions {
  readonly actions: readonly QuickAction[];
  /** The text without them, as GitLab stores it. */
  readonly content: string;
}

/** Every command of GitLab's issues, merge requests and epics that does something, aliases included. */
export const quickActionNames: readonly string[] = [
  ...[
    'add_child',
    'add_contacts',
    'add_email',
    'approve',
    'assign',
    'assign_reviewer',
    'award',
    'blocked_by',
    'blocks',
  ],
  ...['board_move', 'checkin_reminder', 'child_epic', 'clear_health_status', 'clear_weight', 'clone', 'close'],
  ...[
    'confidential',
    'convert_to_ticket',
    'copy_metadata',
    'create_merge_request',
    'done',
    'draft',
    'due',
    'duplicate',
  ],
  ...['epic', 'estimate', 'estimate_time', 'health_status', 'invite_email', 'iteration', 'label', 'labels', 'link'],
  ...['lock', 'merge', 'milestone', 'move', 'page', 'parent_epic', 'promote', 'promote_to', 'promote_to_incident'],
  ...['publish', 'react', 'ready', 'reassign', 'reassign_reviewer', 'rebase', 'relabel', 'relate', 'remove_assignee'],
  ...['remove_child', 'remove_child_epic', 'remove_contacts', 'remove_due_date', 'remove_email', 'remove_epic'],
  ...['remove_estimate', 'remove_iteration', 'remove_label', 'remove_milestone', 'remove_parent', 'remove_parent_epic'],
  ...['remove_reviewer', 'remove_time_estimate', 'remove_time_spent', 'remove_zoom', 'reopen', 'request_changes'],
  ...['request_review', 'reviewer', 'run_pipeline', 'set_parent', 'severity', 'ship', 'shrug', 'spend', 'spend_time'],
  ...[
    'spent',
    'status',
    'submit_review',
    'subscribe',
    'tableflip',
    'tag',
    'target_branch',
    'timeline',
    'title',
    'todo',
  ],
  ...['type', 'unapprove', 'unassign', 'unassign_reviewer', 'unlabel', 'unlink', 'unlock', 'unrelate', 'unsubscribe'],
  ...['weight', 'wip', 'zoom'],
];

interface Match extends QuickAction {
  readonly start: number;
  readonly end: number;
}

// Ruby's ^ and $ know the line feed alone; JavaScript's would also stop at U+2028.
const lineStart = '(?<![^\\n])';
const lineEnd = '(?![^\\n])';
const space = '[ \\t\\r\\n\\f\\v]';
const names = [...quickActionNames].sort((left, right) => right.length - left.length).join('|');
const command = `${lineStart}/(?<name>${names})(?: (?<argument>[^\\n]*))?(?:${space}*\\n|${lineEnd})`;
const html = `${lineStart}<[^>]+?>\\n.+?\\n</[^>]+?>${lineEnd}`;

/** What is skipped before a command is looked for, as the older generation has it. */
const skippedByRegExp = [
  `${lineStart}\`\`\`.+?\\n\`\`\`${lineEnd}`,
  `${lineStart}\`\\n.+?\\n\`${lineEnd}`,
  html,
  `${lineStart}>>>.+?\\n>>>${lineEnd}`,
];
const byRegExp = new RegExp([...skippedByRegExp, command].join('|'), 'gisu');
const byParagraph = new RegExp(['`.+?`', html, command].join('|'), 'gisu');

/** What GitLab's older generation runs. */
export function extractByRegExp(text: string): ExtractedQuickActions {
  const clean = text.replaceAll('\r', '');
  return cut(clean, scan(clean, byRegExp, 0));
}

/** What GitLab's newer generation runs. */
export function extractByMarkdown(text: string): ExtractedQuickActions {
  const clean = text.replaceAll('\r', '');
  return cut(clean, scanParagraphs(clean));
}

/** What either generation runs. */
export function extractQuickActions(text: string): ExtractedQuickActions {
  const clean = text.replaceAll('\r', '');
  const matches = [...scan(clean, byRegExp, 0), ...scanParagraphs(clean)].sort(
    (left, right) => left.start - right.start,
  );
  return cut(
    clean,
    matches.filter((match, index) => matches[index - 1]?.start !== match.start),
  );
}

function scan(text: string, pattern: RegExp, offset: number): Match[] {
  const found: Match[] = [];
  for (const match of text.matchAll(pattern)) {
    const name = match.groups?.['name'];
    if (name === undefined) continue;
    const start = offset + match.index;
    const argument = (match.groups?.['argument'] ?? '').trim();
    found.push({ name: name.toLowerCase(), argument, start, end: start + match[0].length });
  }
  return found;
}

function scanParagraphs(text: string): Match[] {
  const lines = text.split('\n');
  const starts: number[] = [];
  let at = 0;
  for (const line of lines) {
    starts.push(at);
    at += line.length + 1;
  }
  return parseMarkdown(text)
    .filter((block) => block.kind === 'paragraph' && block.isTopLevel)
    .flatMap((block) => {
      const start = starts[block.startLine] ?? 0;
      const end = starts[block.endLine + 1] ?? text.length;
      return scan(text.slice(start, end), byParagraph, start);
    });
}

function cut(text: string, matches: readonly Match[]): ExtractedQuickActions {
  let content = '';
  let from = 0;
  for (const match of matches) {
    content += text.slice(from, Math.max(from, match.start));
    from = Math.max(from, match.end);
  }
  content = (content + text.slice(from)).trimEnd();
  return { actions: matches.map(({ name, argument }) => ({ name, argument })), content };
}
