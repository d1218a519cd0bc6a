/** What a comment does beside being read: people it notifies, addresses it fetches or leads to, issues it touches. */
import type { GitLabEffect } from './gitlab-state.ts';
import { parseMarkdown } from './markdown-blocks.ts';

/** One effect without where it happened. */
export type BodyEffect = Pick<GitLabEffect, 'kind' | 'detail'>;

const closingWords = 'clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?';
const reference = '(?:[\\w./-]*[#!]\\d+|https?://\\S+/-/(?:issues|work_items)/\\d+)';

/** Effects of a text that is shown as Markdown; links into `ownUrl` are none. */
export function findBodyEffects(text: string, ownUrl: string): readonly BodyEffect[] {
  const effects: BodyEffect[] = [];
  for (const block of parseMarkdown(text.replaceAll('\r', ''))) {
    if (block.kind === 'code') continue;
    const shown = removeInlineCode(block.text.replace(/<!--.*?(?:-->|$)/gs, ' '));
    effects.push(...findImages(shown), ...findLinks(shown, ownUrl), ...findReferences(decodeEntities(shown)));
  }
  return effects;
}

/** A run of backticks is closed by the next run of the same length, or is no code. */
function removeInlineCode(text: string): string {
  const runs = [...text.matchAll(/`+/g)];
  let shown = '';
  let from = 0;
  for (const [index, run] of runs.entries()) {
    if (run.index < from || text[run.index - 1] === '\\') continue;
    const end = runs.slice(index + 1).find((candidate) => candidate[0].length === run[0].length);
    if (end === undefined) continue;
    shown += `${text.slice(from, run.index)} `;
    from = end.index + end[0].length;
  }
  return shown + text.slice(from);
}

/** `&#64;all` is shown as `@all`, and notifies. */
function decodeEntities(text: string): string {
  return text
    .replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi, (_, hex: string | undefined, decimal: string | undefined) =>
      codePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)),
    )
    .replaceAll('&commat;', '@')
    .replaceAll('&num;', '#')
    .replaceAll('&excl;', '!');
}

function codePoint(code: number): string {
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
}

function findImages(text: string): BodyEffect[] {
  const markdown = [...text.matchAll(/(?<!\\)!\[[^\]]*\]\(\s*<?([^)\s>]*)/g)].map((match) => match[1] ?? '');
  const byName = [...text.matchAll(/(?<!\\)!\[[^\]]*\]\[([^\]]*)\]/g)].map((match) => match[1] ?? '');
  const tags = [...text.matchAll(/<(?:img|video|audio|source|iframe|embed|object)\b[^>]*/gi)].map((match) => match[0]);
  return [...markdown, ...byName, ...tags].map((detail) => ({ kind: 'image', detail }));
}

function findLinks(text: string, ownUrl: string): BodyEffect[] {
  const found = new Set<string>();
  const bare = text.replace(/\]\([^)]*\)|<[^>]*>/g, ' ');
  const patterns = [
    /(?<![!\\])\[(?:[^\]\\]|\\.)*\]\(\s*<?([^)\s>]*)/g,
    /^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/gm,
    /<a\b[^>]*?href\s*=\s*["']?([^"'\s>]+)/gi,
    /<([a-z][a-z0-9+.-]*:[^\s>]*)>/gi,
  ];
  const barePatterns = [
    /(?<![\w\\])((?:https?|ftp|mailto|javascript|data):(?:\/\/)?[^\s<>"')\]]+)/gi,
    /(?<![\w/.@-])(www\.[^\s<>"')\]]+)/gi,
  ];
  for (const pattern of patterns) for (const match of text.matchAll(pattern)) found.add(match[1] ?? '');
  for (const pattern of barePatterns) for (const match of bare.matchAll(pattern)) found.add(match[1] ?? '');
  return [...found].filter((address) => isForeign(address, ownUrl)).map((detail) => ({ kind: 'link', detail }));
}

function isForeign(address: string, ownUrl: string): boolean {
  if (!/^(?:[a-z][a-z0-9+.-]*:|\/\/|www\.)/i.test(address)) return false;
  return address !== ownUrl && !address.startsWith(`${ownUrl}/`);
}

function findReferences(text: string): BodyEffect[] {
  const escaped = text.replace(/\\[@#!~%$&]/g, ' ');
  const mentions = [...escaped.matchAll(/(?<![\w`/.@+-])@([a-zA-Z0-9_](?:[\w./-]*[\w-])?)/g)];
  const closes = [...escaped.matchAll(new RegExp(`\\b(?:${closingWords}):?\\s+(${reference})`, 'gi'))];
  const references = [...escaped.matchAll(/(?<![\w&/#!.-])(?:[\w.-]+(?:\/[\w.-]+)+)?[#!]\d+(?![\w#])/g)];
  return [
    ...mentions.map((match) => ({ kind: 'mention' as const, detail: match[1] ?? '' })),
    ...closes.map((match) => ({ kind: 'issue-close' as const, detail: match[1] ?? '' })),
    ...references.map((match) => ({ kind: 'reference' as const, detail: match[0] })),
  ];
}
