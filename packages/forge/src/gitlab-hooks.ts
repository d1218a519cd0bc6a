/** Webhooks that call us: how they fare, which deliveries failed, and having those sent again. */
import { BlockedError, DrydockError, type ForgeId, type NumericId } from '@drydock/core';
import type { FailedDelivery, ForgeHook } from './forge.ts';
import type { GitLabApi } from './gitlab-api.ts';
import { nextQuery } from './gitlab-pages.ts';
import { parse } from './gitlab-parse.ts';
import { GitLabHookEvents, GitLabHooks, GitLabResent } from './gitlab-schema.ts';
import { parseGitLabEvent } from './gitlab-webhook.ts';

type Requester = GitLabApi['projects']['requester'];

/** Where nobody answered counts as a failure of the server, too. */
const failures = 'client_failure,server_failure';

/** Webhooks whose path is that of our server, wherever it stands. */
export async function listHooks(
  requester: Requester,
  forge: ForgeId,
  projectId: NumericId,
): Promise<readonly ForgeHook[] | null> {
  const path = `projects/${projectId}/hooks`;
  const listed = await unlessRefused(requester.get(path, { searchParams: { per_page: '100' } }));
  if (listed === null) return null;
  const ours = parse(GitLabHooks, listed.body).filter(({ url }) => isOurs(url, forge));
  const hooks: ForgeHook[] = [];
  for (const { id, alert_status } of ours) {
    const searchParams = { status: failures, per_page: '1' };
    const events = await unlessRefused(requester.get(`${path}/${id}/events`, { searchParams }));
    const [newest] = events === null ? [] : parse(GitLabHookEvents, events.body);
    hooks.push({ hookId: id, state: stateOf(alert_status ?? ''), lastFailedId: newest?.id ?? null });
  }
  return hooks;
}

/** Newest first. The log holds a week; GitLab before 17.3 has none to read. */
export async function listFailedDeliveries(
  requester: Requester,
  forge: ForgeId,
  { projectId, hookId }: { readonly projectId: NumericId; readonly hookId: NumericId },
  page: number,
): Promise<{ readonly items: readonly FailedDelivery[]; readonly nextPage: number | null } | null> {
  const searchParams = { status: failures, per_page: '20', page: String(page) }; // GitLab gives no more at a time
  const listed = await unlessRefused(requester.get(`projects/${projectId}/hooks/${hookId}/events`, { searchParams }));
  if (listed === null) return null;
  const items = parse(GitLabHookEvents, listed.body).map(
    ({ id, url, request_headers, request_data }): FailedDelivery => {
      const event = parseGitLabEvent(request_data);
      const isWanted =
        isOurs(url ?? '', forge) && (event.kind === 'commented' || event.kind === 'merge-request-changed');
      return {
        eventId: id,
        deliveryKey: keyOf(request_headers ?? {}),
        about: !isWanted ? 'nothing' : event.kind === 'commented' ? 'comment' : 'merge-request',
        occurredAtMs: isWanted ? event.occurredAtMs : null,
      };
    },
  );
  return { items, nextPage: nextQuery(listed.headers['link']) === null ? null : page + 1 };
}

function keyOf(headers: Readonly<Record<string, unknown>>): string | null {
  const [, key] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'idempotency-key') ?? [];
  return typeof key === 'string' && key !== '' && key.length <= 200 ? key : null;
}

/**
 * Since GitLab 17.4; five a minute for each user and project. GitLab answers once our server has: 201 with the status it
 * gave, or 422 where there was no answer, the address is another now, or the webhook is stopped.
 */
export async function resendDelivery(
  requester: Requester,
  delivery: { readonly projectId: NumericId; readonly hookId: NumericId; readonly eventId: NumericId },
): Promise<'delivered' | 'failed' | 'gone'> {
  const { projectId, hookId, eventId } = delivery;
  try {
    const { body } = await requester.post(`projects/${projectId}/hooks/${hookId}/events/${eventId}/resend`);
    const { response_status } = parse(GitLabResent, body);
    return response_status >= 200 && response_status < 300 ? 'delivered' : 'failed';
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    if (error.code === 'forge.not_found') return 'gone';
    if (error.code === 'forge.rejected' || error.code === 'forge.timeout') return 'failed';
    throw error;
  }
}

function isOurs(url: string, forge: ForgeId): boolean {
  return URL.canParse(url) && new URL(url).pathname.endsWith(`/webhooks/${forge}`);
}

function stateOf(alertStatus: string): ForgeHook['state'] {
  if (alertStatus === 'disabled') return 'off';
  return alertStatus === 'temporarily_disabled' ? 'paused' : 'sending';
}

/** Null where our role does not reach, or the version of GitLab does not have it. */
async function unlessRefused<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    const isRefused = error instanceof BlockedError && error.code === 'forge.forbidden';
    if (isRefused || (error instanceof DrydockError && error.code === 'forge.not_found')) return null;
    throw error;
  }
}
