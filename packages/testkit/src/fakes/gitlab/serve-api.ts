import type { IncomingHttpHeaders } from 'node:http';
import { ParamsError, nestParams, readBodyParams } from './api-params.ts';
import type { ApiReply, ApiRequest, ApiRoute } from './api-route.ts';
import { authenticateApi, authorizeScope } from './authenticate.ts';
import { GitLabApiError, notFound, unauthorized } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { answerJson, type HttpAnswer } from './http-answer.ts';
import type { RateLimits } from './rate-limits.ts';

interface ApiHttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const prefix = '/api/v4';

/** Answers requests below `/api/v4`. */
export class ApiServer {
  readonly #world: GitLabWorld;
  readonly #routes: readonly ApiRoute[];
  readonly #limits: RateLimits;

  constructor(world: GitLabWorld, routes: readonly ApiRoute[], limits: RateLimits) {
    this.#world = world;
    this.#routes = routes;
    this.#limits = limits;
  }

  /** Whether a path belongs to the API. */
  owns(pathname: string): boolean {
    return pathname === prefix || pathname.startsWith(`${prefix}/`);
  }

  /** Runs the route that fits, or answers with GitLab's error. */
  async serve(request: ApiHttpRequest): Promise<HttpAnswer> {
    try {
      return await this.#run(request);
    } catch (error) {
      if (!(error instanceof GitLabApiError)) throw error;
      this.#noteFault(request, error);
      return answerJson(error.status, error.body, error.headers);
    }
  }

  async #run(request: ApiHttpRequest): Promise<HttpAnswer> {
    const world = this.#world;
    const { method, url } = request;
    const caller = authenticateApi(world, request.headers);
    const limitHeaders = this.#limits.countRequest(world, caller?.user ?? null);
    const found = this.#find(method, url.pathname);
    if (found === null) throw new GitLabApiError(404, { error: '404 Not Found' });
    if (caller === null && !found.route.isAnonymous) throw unauthorized();
    if (caller !== null) authorizeScope(caller, method);
    const user = caller?.user ?? null;
    const params = {
      ...nestParams(url.searchParams),
      ...readBodyParams(request.headers['content-type'] ?? '', request.body),
    };
    const apiRequest: ApiRequest<Record<string, unknown>> = { world, user, path: found.path, params, url };
    if (found.route.writesNote && user !== null) this.#limits.countNote(world, user);
    if (found.route.resends && user !== null) this.#limits.countResend(world, user, found.path['id'] ?? '');
    return toAnswer(await found.route.handle(apiRequest), world.url + url.pathname, url.searchParams, limitHeaders);
  }

  #find(method: string, pathname: string): { route: ApiRoute; path: Record<string, string> } | null {
    const segments = pathname.slice(prefix.length).split('/');
    for (const route of this.#routes) {
      const path = route.method === method ? matchPath(route.path.split('/'), segments) : null;
      if (path !== null) return { route, path };
    }
    return null;
  }

  /** Faults that a client's author should hear of: what GitLab does not have, or would silently ignore. */
  #noteFault({ method, url }: ApiHttpRequest, error: GitLabApiError): void {
    if (error instanceof ParamsError && error.unknownNames.length > 0) {
      this.#world.violate(method, url.pathname, `unknown parameters: ${error.unknownNames.join(', ')}`);
    } else if (isTooNew(error)) {
      return; // an older instance, honestly asked
    } else if (error instanceof ParamsError || error.status === 415 || isMalformed(error)) {
      this.#world.violate(method, url.pathname, `malformed request: ${JSON.stringify(error.body)}`);
    } else if (this.#find(method, url.pathname) === null && error.status === 404) {
      this.#world.violate(method, url.pathname, 'no such route');
    }
  }
}

function isTooNew(error: GitLabApiError): boolean {
  return JSON.stringify(error.body) === '{"error":"position[position_type] does not have a valid value"}';
}

function isMalformed(error: GitLabApiError): boolean {
  return error.status === 400 && JSON.stringify(error.body).includes('does not match declared format');
}

function matchPath(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const path: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return null;
      continue;
    }
    try {
      path[part.slice(1)] = decodeURIComponent(segment);
    } catch {
      throw notFound();
    }
  }
  return path;
}

const maxPerPage = 100;
const maxTotal = 10_000;

function toAnswer(
  reply: ApiReply,
  address: string,
  query: URLSearchParams,
  headers: Record<string, string>,
): HttpAnswer {
  if (reply.kind === 'empty') return { status: reply.status, headers, body: Buffer.alloc(0) };
  if (reply.kind === 'json') return answerJson(reply.status, reply.body, { ...headers, ...reply.headers });
  const page = reply.page ?? 1;
  const asked = reply.perPage ?? 20;
  if (page < 1 || asked < 1) {
    throw new GitLabApiError(400, { error: `${page < 1 ? 'page' : 'per_page'} does not have a valid value` });
  }
  const perPage = Math.min(asked, maxPerPage);
  const total = reply.items.length;
  const lastPage = Math.max(1, Math.ceil(total / perPage));
  const link = (rel: string, number: number) => {
    const parameters = new URLSearchParams(query);
    parameters.set('page', String(number));
    parameters.set('per_page', String(perPage));
    return `<${address}?${parameters.toString()}>; rel="${rel}"`;
  };
  const hasTotal = total <= maxTotal;
  const links = [
    ...(page > 1 ? [link('prev', page - 1)] : []),
    ...(page < lastPage ? [link('next', page + 1)] : []),
    link('first', 1),
    ...(hasTotal ? [link('last', lastPage)] : []),
  ];
  return answerJson(200, reply.items.slice((page - 1) * perPage, page * perPage), {
    ...headers,
    Link: links.join(', '),
    'X-Page': String(page),
    'X-Per-Page': String(perPage),
    'X-Next-Page': page < lastPage ? String(page + 1) : '',
    'X-Prev-Page': page > 1 ? String(page - 1) : '',
    // GitLab stops counting where that gets slow.
    ...(hasTotal ? { 'X-Total': String(total), 'X-Total-Pages': String(lastPage) } : {}),
  });
}
