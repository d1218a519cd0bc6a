import { optional, paging, text } from '../api-params.ts';
import { json, list, projectOf, route, type ApiRequest, type ApiRoute } from '../api-route.ts';
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
      .filter(({ status }) => wanted === undefined || wanted.some((filter) => isOfStatus(status, filter)))
      .reverse();
    const entities = events.map(({ id, event, body, headers, status, responseBody }) => ({
      id,
      url: webhook.url,
      trigger: event,
      request_headers: { ...headers, ...('X-Gitlab-Token' in headers ? { 'X-Gitlab-Token': '[REDACTED]' } : {}) },
      request_data: body,
      response_headers: {},
      response_body: responseBody,
      execution_duration: 0.1,
      response_status: status === null ? 'internal error' : String(status),
    }));
    return list(entities, params);
  }),
  route('POST', `${base}/:hook_id/events/:event_id/resend`, {}, (request) => {
    const { world, path } = request;
    const webhook = webhookOf(request);
    const delivery = world.webhooks.deliveries.find((candidate) => String(candidate.id) === path['event_id']);
    if (delivery?.webhookId !== webhook.id) throw notFound();
    world.webhooks.resend(delivery.id);
    return json({ response_status: 200 }, 201);
  }),
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
