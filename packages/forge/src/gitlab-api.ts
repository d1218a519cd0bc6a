import {
  Commits,
  MergeRequestDiscussions,
  MergeRequestNotes,
  MergeRequests,
  ProjectMembers,
  Projects,
  Users,
} from '@gitbeaker/rest';
import { gitLabRequester, type GitLabTransport } from './gitlab-requester.ts';

/** The resources of GitLab's API that we use. */
export interface GitLabApi {
  readonly commits: Commits;
  readonly discussions: MergeRequestDiscussions;
  readonly members: ProjectMembers;
  readonly mergeRequests: MergeRequests;
  readonly notes: MergeRequestNotes;
  readonly projects: Projects;
  readonly users: Users;
}

/** The API for calls that end with `signal`. */
export function gitLabApi(
  { host, token, transport }: { readonly host: string; readonly token: string; readonly transport: GitLabTransport },
  signal: AbortSignal,
): GitLabApi {
  const requesterFn = gitLabRequester(transport, signal);
  const options = { host, token, requesterFn, queryTimeout: null, rateLimits: {} };
  return {
    get commits() {
      return new Commits(options);
    },
    get discussions() {
      return new MergeRequestDiscussions(options);
    },
    get members() {
      return new ProjectMembers(options);
    },
    get mergeRequests() {
      return new MergeRequests(options);
    },
    get notes() {
      return new MergeRequestNotes(options);
    },
    get projects() {
      return new Projects(options);
    },
    get users() {
      return new Users(options);
    },
  };
}
