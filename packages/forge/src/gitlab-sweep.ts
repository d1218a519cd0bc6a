/**
 * Lists for the sweep. GitLab pages them by number, so while one reads, entries slide over the borders of pages when
 * others before them go. Neither list here can lose one so: projects are asked for after an id, and merge requests, in
 * the order of their last change, from the time of the last one seen, which may tell some again but never leaves one out.
 */
import { NumericId, TerminalError, type ForgeId, type OpenMergeRequest } from '@drydock/core';
import type { ForgeProject, ListPage, OpenMergeRequestQuery } from './forge.ts';
import type { GitLabApi } from './gitlab-api.ts';
import { nextQuery } from './gitlab-pages.ts';
import { parse } from './gitlab-parse.ts';
import { GitLabMergeRequests, GitLabProjects } from './gitlab-schema.ts';

type Requester = GitLabApi['projects']['requester'];

const perPage = 100;
/** Of a member: guests of a private project see no merge requests. */
const reporter = 20;

/** The projects that our account is a member of. The cursor is the last id. */
export async function listProjects(requester: Requester, cursor: string | null): Promise<ListPage<ForgeProject>> {
  if (cursor !== null && !NumericId.safeParse(cursor).success) throw badCursor();
  const { body, headers } = await requester.get('projects', {
    searchParams: {
      min_access_level: String(reporter),
      membership: 'true',
      archived: 'false',
      with_merge_requests_enabled: 'true',
      simple: 'true',
      order_by: 'id',
      sort: 'asc',
      per_page: String(perPage),
      ...(cursor === null ? {} : { id_after: cursor }),
    },
  });
  const items = parse(GitLabProjects, body).map(({ id, path_with_namespace }) => ({
    projectId: id,
    projectPath: path_with_namespace,
  }));
  return { items, cursor: nextQuery(headers['link']) === null ? null : (items.at(-1)?.projectId ?? null) };
}

/** The cursor is the time to ask from and, where more than a page changed in one millisecond, the number of the page. */
export async function listOpenMergeRequests(
  requester: Requester,
  forge: ForgeId,
  { projectId, updatedAfterMs, cursor }: OpenMergeRequestQuery,
): Promise<ListPage<OpenMergeRequest>> {
  const place = cursor === null ? { fromMs: updatedAfterMs, page: 1 } : placeOf(cursor);
  const { body, headers } = await requester.get(
    projectId === null ? 'merge_requests' : `projects/${projectId}/merge_requests`,
    {
      searchParams: {
        scope: 'all',
        state: 'opened',
        order_by: 'updated_at',
        sort: 'asc',
        per_page: String(perPage),
        page: String(place.page),
        ...(place.fromMs === null ? {} : { updated_after: new Date(place.fromMs).toISOString() }),
      },
    },
  );
  const items = parse(GitLabMergeRequests, body).map((found) => ({
    ref: { forge, projectId: found.project_id, iid: found.iid },
    projectPath: found.references.full.replace(/!\d+$/, ''),
    headSha: found.sha,
    updatedAtMs: found.updated_at,
  }));
  const lastMs = items.at(-1)?.updatedAtMs;
  if (lastMs === undefined || nextQuery(headers['link']) === null) return { items, cursor: null };
  const next = lastMs === place.fromMs ? { fromMs: lastMs, page: place.page + 1 } : { fromMs: lastMs, page: 1 };
  return { items, cursor: `${next.fromMs}.${next.page}` };
}

function placeOf(cursor: string): { readonly fromMs: number; readonly page: number } {
  const [, fromMs, page] = /^(\d{1,15})\.([1-9]\d{0,4})$/.exec(cursor) ?? [];
  if (fromMs === undefined || page === undefined) throw badCursor();
  return { fromMs: Number(fromMs), page: Number(page) };
}

function badCursor(): TerminalError {
  return new TerminalError('request.malformed', 'this cursor is none of ours');
}
