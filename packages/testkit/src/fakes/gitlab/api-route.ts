import { z } from 'zod';
import { parseParams } from './api-params.ts';
import {
  accessLevels,
  forbidden,
  notFound,
  unauthorized,
  type GitLabMergeRequest,
  type GitLabProject,
  type GitLabRole,
  type GitLabUser,
} from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';

/** What a route is given. */
export interface ApiRequest<P> {
  readonly world: GitLabWorld;
  /** Null: nobody signed in; only routes that allow it are called then. */
  readonly user: GitLabUser | null;
  /** Parts of the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly params: P;
  /** The path and query as sent, for links to other pages. */
  readonly url: URL;
}

/** What a route answers. */
export type ApiReply =
  | {
      readonly kind: 'json';
      readonly status: number;
      readonly body: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'list';
      readonly items: readonly unknown[];
      readonly page?: number | undefined;
      readonly perPage?: number | undefined;
    }
  | { readonly kind: 'empty'; readonly status: 204 };

/** One route with its parameters checked. */
export interface ApiRoute {
  readonly method: string;
  /** Below `/api/v4`; `:name` stands for one segment. */
  readonly path: string;
  readonly isAnonymous: boolean;
  /** Counts against the limit for writing notes. */
  readonly writesNote: boolean;
  /** Counts against the limit for sending deliveries of a project's webhooks again. */
  readonly resends: boolean;
  /** Checks the parameters, then does what the route does. */
  readonly handle: (request: ApiRequest<Readonly<Record<string, unknown>>>) => Promise<ApiReply> | ApiReply;
}

/** Declares a route; its parameters are those of `schema`, and no others are allowed. */
export function route<S extends z.ZodRawShape>(
  method: string,
  path: string,
  shape: S,
  handle: (request: ApiRequest<z.output<z.ZodObject<S, z.core.$strict>>>) => Promise<ApiReply> | ApiReply,
  options: { readonly isAnonymous?: boolean; readonly writesNote?: boolean; readonly resends?: boolean } = {},
): ApiRoute {
  const schema = z.strictObject(shape);
  return {
    method,
    path,
    isAnonymous: options.isAnonymous ?? false,
    writesNote: options.writesNote ?? false,
    resends: options.resends ?? false,
    handle: (request) => handle({ ...request, params: parseParams(schema, request.params) }),
  };
}

/** A JSON answer. */
export function json(body: unknown, status = 200): ApiReply {
  return { kind: 'json', status, body };
}

/** A page of a list. */
export function list(
  items: readonly unknown[],
  paging: { readonly page?: number | undefined; readonly per_page?: number | undefined },
): ApiReply {
  return { kind: 'list', items, page: paging.page, perPage: paging.per_page };
}

/** The signed-in user of a request that has one. */
export function signedIn(request: ApiRequest<unknown>): GitLabUser {
  if (request.user === null) throw unauthorized();
  return request.user;
}

/** The project of a request, where the user may see it and has the role. */
export function projectOf(request: ApiRequest<unknown>, role: GitLabRole | null = null): GitLabProject {
  const project = request.world.findProject(request.path['id'] ?? '', request.user);
  if (role !== null && request.world.accessLevel(project, request.user) < accessLevels[role]) throw forbidden();
  return project;
}

/** The merge request of a request, where the user may see it. */
export function mergeRequestOf(request: ApiRequest<unknown>): GitLabMergeRequest {
  const project = projectOf(request);
  const mergeRequest = project.mergeRequests.find((candidate) => String(candidate.iid) === request.path['iid']);
  if (mergeRequest === undefined || !request.world.canReadCode(project, request.user)) throw notFound();
  return mergeRequest;
}
