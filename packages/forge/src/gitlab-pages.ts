import { TerminalError } from '@drydock/core';
import { badAnswer } from './gitlab-error.ts';

interface PageAnswer {
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

const perPage = 50;

/**
 * The pages of a list, one after another as GitLab's `Link` header names them. Only the query of a link is taken, so a
 * link to another host leads nowhere. Throws `forge.bad_answer` when there are more than `maxPages`.
 */
export async function* listPages(
  getPage: (searchParams: Record<string, string>) => Promise<PageAnswer>,
  maxPages: number,
): AsyncGenerator<readonly unknown[]> {
  let query: Record<string, string> | null = { per_page: String(perPage) };
  for (let page = 1; query !== null; page += 1) {
    if (page > maxPages)
      throw new TerminalError('forge.bad_answer', `GitLab has more than ${maxPages} pages of comments to list`);
    const { headers, body } = await getPage(query);
    if (!Array.isArray(body)) throw badAnswer('not a list');
    yield body as unknown[]; // parser: each entry is checked by a schema next
    query = nextQuery(headers['link']);
  }
}

/** The query of the page that a `Link` header names as the next; null: there is none. */
export function nextQuery(link: string | undefined): Record<string, string> | null {
  const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (next === undefined || !URL.canParse(next, 'http://localhost')) return null;
  return Object.fromEntries(new URL(next, 'http://localhost').searchParams);
}
