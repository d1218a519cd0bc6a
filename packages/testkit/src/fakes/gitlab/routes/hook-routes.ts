import { optional, paging, text } from '../api-params.ts';
import { json, list, projectOf, route, type ApiReply, type ApiRequest, type ApiRoute } from '../api-route.ts';
import { GitLabApiError, notFound, type GitLabHookEvent, type GitLabWebhook } from '../gitlab-state.ts';
import { apiTime } from '../gitlab-world.ts';
import { testWebhook } from '../hook-events.ts';

function webhookOf(request: ApiRequest<unknown>): GitLabWebhook {
  const project = projectOf(request, 'maintainer');
  const webhook = project.webhooks.find((candidate) => String(candidate.id) === request.path['hook_id']);
  if (webhook === undefined) throw notFound();
  return webhook;
}

function alertStatus({ disabled }: GitLabWebhook, nowMs: number): string {
  if (disabled === null) return 'executable';
  if (disabled.untilMs === null) return 'disabled';
  return disabled.untilMs > nowMs ? 'temporarily_disabled' : 'executable';
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : apiTime(ms);
}

function webhookEntity(webhook: GitLabWebhook, projectId: number, nowMs: number) {
  const wants = (event: GitLabHookEvent) => webhook.events.includes(event);
  return {
    id: webhook.id,
    url: webhook.url,
    name: null,
    description: null,
    created_at: '2025-01-01T00:00:00.000Z',
    push_events: wants('push_events'),
    tag_push_events: false,
    merge_requests_events: wants('merge_requests_events'),
    note_events: wants('note_events'),
    repository_update_events: false,
    enable_ssl_verification: true,
    alert_status: alertStatus(webhook, nowMs),
    disabled_until: timeOrNull(webhook.disabled?.untilMs ?? null),
    url_variables: [],
    project_id: projectId,
    issues_events: false,
  };
}

function isHookEvent(name: string): name is GitLabHookEvent {
  return ['merge_requests_events', 'note_events', 'push_events'].includes(name);
}

/** Answered once the receiver has answered, or not. The log gets a new entry, with the same idempotency key. */
async function resend({ world, ...request }: ApiRequest<unknown>): Promise<ApiReply> {
  const webhook = webhookOf({ world, ...request });
  const logged = world.webhooks.deliveries.find((candidate) => String(candidate.id) === request.path['event_id']);
  if (logged?.webhookId !== webhook.id) throw notFound();
  if (logged.url !== webhook.url) throw unprocessable('The hook URL has changed. This log entry cannot be retried');
  if (alertStatus(webhook, world.nowMs()) !== 'executable') throw unprocessable('Hook disabled');
  const { id } = world.webhooks.resend(logged.id);
  await world.webhooks.settledOf(webhook.id);
  const delivery = world.webhooks.deliveries.find((candidate) => candidate.id === id);
  const status = delivery?.status ?? null;
  if (status === null) throw unprocessable(delivery?.error ?? 'internal error');
  return json({ response_status: status }, 201);
}

function unprocessable(message: string): GitLabApiError {
  return new GitLabApiError(422, { message });
}

/** `Note Hook` is logged as `note_hooks`. */
function triggerOf(event: string): string {
  return `${event.toLowerCase().replaceAll(' ', '_')}s`;
}

const base = '/projects/:id/hooks';

/** Webhooks: which there are, trying one, what was delivered, delivering again. */
export const hookRoutes: readonly ApiRoute[] = [
  route('GET', base, paging, (request) => {
    const project = projectOf(request, 'maintainer');
    return list(
      project.webhooks.map((webhook) => webhookEntity(webhook, project.id, request.world.nowMs())),
      request.params,
    );
  }),
  route('POST', `${base}/:hook_id/test/:trigger`, {}, async (request) => {
    const { trigger = '' } = request.path;
    if (!isHookEvent(trigger)) throw new GitLabApiError(400, { error: 'trigger does not have a valid value' });
    const isSent = await testWebhook(request.world, projectOf(request), webhookOf(request), trigger);
    if (!isSent) throw new GitLabApiError(422, { message: 'Ensure the project has merge requests.' });
    return json({ message: '201 Created' }, 201);
  }),
  route('GET', `${base}/:hook_id/events`, { ...paging, status: optional(text) }, (request) => {
    const { world, params } = request;
    const webhook = webhookOf(request);
    if ((params.per_page ?? 20) > 20) throw new GitLabApiError(400, { error: 'per_page does not have a valid value' });
    const wanted = params.status?.split(',');
    const events = world.webhooks.deliveries
      .filter((delivery) => delivery.webhookId === webhook.id)
      .filter(({ status, error }) => status !== null || error !== null) // logged once it has ended
      .filter(({ status }) => wanted === undefined || wanted.some((filter) => isOfStatus(status, filter)))
      .reverse();
    const entities = events.map(({ id, event, url, body, headers, status, responseBody }) => ({
      id,
      url,
      trigger: triggerOf(event),
      request_headers: { ...headers, ...('X-Gitlab-Token' in headers ? { 'X-Gitlab-Token': '[REDACTED]' } : {}) },
      request_data: body,
      response_headers: {},
      response_body: responseBody,
      execution_duration: 0.1,
      response_status: status === null ? 'internal error' : String(status),
    }));
    return list(entities, params);
  }),
  route('POST', `${base}/:hook_id/events/:event_id/resend`, {}, resend, { resends: true }),
];

function isOfStatus(status: number | null, filter: string): boolean {
  const classes: Readonly<Record<string, (code: number) => boolean>> = {
    successful: (code) => code < 300,
    client_failure: (code) => code >= 400 && code < 500,
    server_failure: (code) => code >= 500,
  };
  const isWanted = classes[filter] ?? ((code: number) => String(code) === filter);
  return isWanted(status ?? 500);
}
