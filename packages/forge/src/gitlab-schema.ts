/** What we read of GitLab's answers, and no other field. @see https://docs.gitlab.com/api/rest/ */
import { NumericId, Sha } from '@drydock/core';
import { z } from 'zod';

const Id = z.int().min(1).transform(String).pipe(NumericId);
const ShaOrNone = Sha.nullish()
  .or(z.literal('').transform(() => null))
  .transform((sha) => sha ?? null);

/** GET /user and GET /users/:id */
export const GitLabUser = z.object({
  id: Id,
  username: z.string().min(1).max(300),
  bot: z.boolean().nullish(),
});

/** GET /projects/:id */
export const GitLabProject = z.object({ id: Id });

/** GET /projects */
export const GitLabProjects = z.array(z.object({ id: Id, path_with_namespace: z.string().max(1000) }));

/** GET /merge_requests and GET /projects/:id/merge_requests */
export const GitLabMergeRequests = z.array(
  z.object({
    iid: z.int().min(1),
    project_id: Id,
    sha: ShaOrNone,
    updated_at: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
    references: z.object({ full: z.string().regex(/^.+!\d+$/) }),
  }),
);

/** GET /projects/:id/hooks; older versions know nothing of `alert_status`. */
export const GitLabHooks = z.array(
  z.object({ id: Id, url: z.string(), alert_status: z.string().nullish(), disabled_until: z.string().nullish() }),
);

/** GET /projects/:id/hooks/:hook_id/events */
export const GitLabHookEvents = z.array(
  z.object({
    id: Id,
    url: z.string().nullish(),
    request_headers: z.record(z.string(), z.unknown()).nullish().catch(null),
    request_data: z.unknown(),
  }),
);

/** POST /projects/:id/hooks/:hook_id/events/:hook_event_id/resend */
export const GitLabResent = z.object({ response_status: z.coerce.number().int() });

/** GET /projects/:id/members/all/:user_id */
export const GitLabMember = z.object({ access_level: z.int(), state: z.string().nullish() });

/** GET /projects/:id/merge_requests/:iid */
export const GitLabMergeRequest = z.object({
  title: z.string(),
  description: z.string().nullish(),
  state: z.enum(['opened', 'closed', 'merged', 'locked']),
  draft: z.boolean().nullish(),
  work_in_progress: z.boolean().nullish(),
  labels: z.array(z.string()),
  author: z.object({ id: Id, username: z.string() }),
  reviewers: z.array(z.object({ id: Id })).nullish(),
  source_branch: z.string(),
  target_branch: z.string(),
  source_project_id: z.int().nullish(),
  target_project_id: z.int(),
  sha: ShaOrNone,
  web_url: z.url({ protocol: /^https?$/ }),
  references: z.object({ full: z.string().regex(/^.+!\d+$/) }),
});
export type GitLabMergeRequest = z.infer<typeof GitLabMergeRequest>;

/** GET /projects/:id/merge_requests/:iid/versions */
export const GitLabVersions = z.array(
  z.object({
    head_commit_sha: ShaOrNone,
    base_commit_sha: ShaOrNone,
    start_commit_sha: ShaOrNone,
    state: z.string().nullish(),
  }),
);
export type GitLabVersions = z.infer<typeof GitLabVersions>;

const line = z.int().nullish();
const RangeEnd = z.object({ type: z.string().nullish(), old_line: line, new_line: line });

const Note = z.object({
  id: Id,
  body: z.string(),
  author: z.object({ id: Id }),
  system: z.boolean(),
  resolvable: z.boolean().nullish(),
  resolved: z.boolean().nullish(),
  resolved_by: z.object({ id: Id }).nullish(),
  position: z
    .object({
      position_type: z.string().nullish(),
      old_path: z.string().nullish(),
      new_path: z.string().nullish(),
      old_line: line,
      new_line: line,
      line_range: z.object({ start: RangeEnd.nullish(), end: RangeEnd.nullish() }).nullish(),
    })
    .nullish(),
});

/** GET and POST /projects/:id/merge_requests/:iid/discussions */
export const GitLabDiscussion = z.object({ id: z.string().min(1).max(100), notes: z.array(Note) });
export type GitLabDiscussion = z.infer<typeof GitLabDiscussion>;

/** The answer to a write, of which only the id counts. */
export const GitLabCreated = z.object({ id: Id });

/** GET /projects/:id/repository/commits/:sha/statuses */
export const GitLabCommitStatuses = z.array(
  z.object({ id: z.int(), name: z.string().nullish(), status: z.string(), description: z.string().nullish() }),
);

/** What an error says, in one of GitLab's several shapes. */
export const GitLabProblem = z.object({ message: z.unknown().optional(), error: z.unknown().optional() });
