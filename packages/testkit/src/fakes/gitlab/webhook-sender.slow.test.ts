import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../manual-clock.ts';
import { aMergeRequestOn } from './a-merge-request.ts';
import { apiOf } from './api-client.ts';
import { startFakeGitLab } from './start-fake-gitlab.ts';
import { mergeRequestHook, noteHook, pushHook } from './webhook-payloads.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly raw: string;
}

/** Something that webhooks call. */
async function aReceiver(status: number | null = 200) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, raw: Buffer.concat(chunks).toString('utf8') });
      if (status !== null) response.writeHead(status).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const bodies = () => received.map(({ raw }) => JSON.parse(raw) as unknown);
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/hook`, received, bodies, [Symbol.dispose]: close };
}

describe('webhooks', () => {
  it('are signed as Standard Webhooks over the raw body, and carry the old token where one is set', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver();
    const { dana } = await aMergeRequestOn(gitlab);
    const key = Buffer.from('0123456789abcdef0123456789abcdef');
    gitlab.addWebhook({ url: receiver.url, signingToken: `whsec_${key.toString('base64')}`, secretToken: 'plain' });

    await gitlab.comment(dana, 1, 'Grüße');
    await gitlab.deliveriesSettled();

    const { headers, raw } = receiver.received[0] ?? { headers: {}, raw: '' };
    const id = String(headers['webhook-id']);
    const signed = `${id}.${String(headers['webhook-timestamp'])}.${raw}`;
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    expect(headers).toMatchObject({
      'x-gitlab-event': 'Note Hook',
      'x-gitlab-token': 'plain',
      'idempotency-key': id,
      'x-gitlab-instance': gitlab.url,
      'user-agent': 'GitLab/18.5.0',
      'content-type': 'application/json',
    });
    expect(headers['x-gitlab-event-uuid']).not.toBe(headers['x-gitlab-webhook-uuid']);
  });

  it('tell what happened to a merge request', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver();
    const { project, dana } = await aMergeRequestOn(gitlab);
    gitlab.addWebhook({ url: receiver.url, events: ['merge_requests_events'] });
    const oldrev = gitlab.diffRefs(1).head_sha;

    await gitlab.push(project, 'feature', { 'c.txt': 'c\n' }, { by: dana });
    await gitlab.updateMergeRequest(1, { draft: true }, { by: dana });
    await gitlab.updateMergeRequest(1, { draft: false }, { by: dana });
    await gitlab.updateMergeRequest(1, { labels: ['bug'] }, { by: dana });
    await gitlab.updateMergeRequest(1, { reviewers: [gitlab.bot] }, { by: dana });
    await gitlab.approve(gitlab.bot, 1);
    await gitlab.updateMergeRequest(1, { state: 'closed' }, { by: dana });
    await gitlab.updateMergeRequest(1, { state: 'opened' }, { by: dana });
    await gitlab.updateMergeRequest(1, { state: 'merged' }, { by: dana });
    await gitlab.deliveriesSettled();

    const head = gitlab.diffRefs(1).head_sha;
    expect(receiver.bodies()).toMatchObject([
      { object_attributes: { action: 'update', oldrev, last_commit: { id: head } }, user: { username: 'dana' } },
      {
        object_attributes: { action: 'update', draft: true },
        changes: { draft: { previous: false, current: true }, title: {} },
      },
      { object_attributes: { action: 'update', draft: false, title: 'Half' } },
      { changes: { labels: { previous: [], current: [{ title: 'bug' }] } }, labels: [{ title: 'bug' }] },
      { changes: { reviewers: { current: [{ username: 'drydock-bot' }] } }, reviewers: [{ username: 'drydock-bot' }] },
      { object_attributes: { action: 'approved' } },
      { object_attributes: { action: 'close', state: 'closed' } },
      { object_attributes: { action: 'reopen', state: 'opened' } },
      { object_attributes: { action: 'merge', state: 'merged' } },
    ]);
    const withOldrev = receiver.bodies().filter((body) => JSON.stringify(body).includes('"oldrev"'));
    expect(withOldrev).toHaveLength(1);
  });

  it('tell a changed target branch and resolved threads', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver();
    const { project, dana, position } = await aMergeRequestOn(gitlab);
    const note = await gitlab.comment(dana, 1, 'x', { position });
    await gitlab.push(project, 'release', { 'r.txt': 'r\n' });
    gitlab.addWebhook({ url: receiver.url, events: ['merge_requests_events'] });

    await gitlab.resolve(dana, 1, note?.discussionId ?? '');
    await gitlab.updateMergeRequest(1, { targetBranch: 'release' }, { by: dana });
    await gitlab.deliveriesSettled();

    expect(receiver.bodies()).toMatchObject([
      { object_attributes: { action: 'update' }, changes: {} },
      {
        object_attributes: { action: 'update', target_branch: 'release' },
        changes: { target_branch: { previous: 'main' } },
      },
    ]);
    expect(gitlab.mergeRequest(1).versions).toHaveLength(2);
  });

  it('tell comments with their thread and their change, and pushes', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver();
    const { project, dana, path, position } = await aMergeRequestOn(gitlab);
    gitlab.addWebhook({ url: receiver.url, events: ['note_events', 'push_events'] });

    await apiOf(gitlab)('POST', `${path}/discussions`, { body: 'Why?', position });
    const [note] = gitlab.notes(1);
    await apiOf(gitlab)('PUT', `${path}/notes/${note?.id}`, { body: 'Why not?' });
    await gitlab.push(project, 'feature', { 'c.txt': 'c\n' }, { by: dana });
    await gitlab.deliveriesSettled();

    const object_attributes = {
      noteable_type: 'MergeRequest',
      discussion_id: note?.discussionId,
      system: false,
      type: 'DiffNote',
    };
    expect(receiver.bodies()).toMatchObject([
      {
        object_attributes: { ...object_attributes, action: 'create', note: 'Why?', position: { new_line: 6 } },
        merge_request: { iid: 1 },
      },
      { object_attributes: { ...object_attributes, action: 'update', note: 'Why not?' } },
      { object_kind: 'push', ref: 'refs/heads/feature', total_commits_count: 1, user_username: 'dana' },
    ]);
  });

  it('are called once whatever the answer, in order, and again by hand under the same key', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver(500);
    const { dana } = await aMergeRequestOn(gitlab);
    gitlab.addWebhook({ url: receiver.url });

    await gitlab.comment(dana, 1, 'one');
    await gitlab.comment(dana, 1, 'two');
    await gitlab.deliveriesSettled();
    gitlab.resend(gitlab.deliveries[0]?.id ?? 0);
    await gitlab.deliveriesSettled();

    expect(gitlab.deliveries.map((delivery) => delivery.status)).toEqual([500, 500, 500]);
    expect(receiver.bodies()).toMatchObject([
      { object_attributes: { note: 'one' } },
      { object_attributes: { note: 'two' } },
      { object_attributes: { note: 'one' } },
    ]);
    expect(receiver.received[2]?.headers['idempotency-key']).toBe(receiver.received[0]?.headers['idempotency-key']);
    expect(receiver.received[1]?.headers['idempotency-key']).not.toBe(receiver.received[0]?.headers['idempotency-key']);
  });

  it('give up after their time and on receivers that are not there', async () => {
    await using gitlab = await startFakeGitLab({ webhookTimeoutMs: 50 });
    using receiver = await aReceiver(null);
    const { dana } = await aMergeRequestOn(gitlab);
    gitlab.addWebhook({ url: receiver.url });
    gitlab.addWebhook({ url: 'http://127.0.0.1:1/' });

    await gitlab.comment(dana, 1, 'one');
    await gitlab.deliveriesSettled();

    expect(gitlab.deliveries.map((delivery) => delivery.status)).toEqual([null, null]);
    expect(gitlab.deliveries[0]?.error).toMatch(/timeout/i);
  });

  it('are listed, tried and resent through the API by maintainers', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver();
    const { project, danaToken } = await aMergeRequestOn(gitlab);
    const webhook = gitlab.addWebhook({ url: receiver.url, secretToken: 'plain' });
    const call = apiOf(gitlab, danaToken);
    const base = `/projects/${project.id}/hooks`;

    const refused = await apiOf(gitlab)('GET', base);
    const listed = await call('GET', base);
    const tried = await call('POST', `${base}/${webhook.id}/test/merge_requests_events`);
    await gitlab.deliveriesSettled();
    const events = await call('GET', `${base}/${webhook.id}/events?status=successful`);
    const resent = await call('POST', `${base}/${webhook.id}/events/1/resend`);
    await gitlab.deliveriesSettled();

    expect(refused.status).toBe(403);
    expect(listed.body).toMatchObject([{ id: webhook.id, merge_requests_events: true }]);
    expect([tried.status, resent.status]).toEqual([201, 201]);
    expect(events.body).toMatchObject([
      { id: 1, response_status: '200', request_headers: { 'X-Gitlab-Token': '[REDACTED]' } },
    ]);
    expect(receiver.received).toHaveLength(2);
  });
});

describe('deliveries sent again through the API', () => {
  it('keep their key, tell what the receiver answered, and are logged anew', async () => {
    await using gitlab = await startFakeGitLab();
    using receiver = await aReceiver(500);
    const { project, dana, danaToken } = await aMergeRequestOn(gitlab);
    const webhook = gitlab.addWebhook({ url: receiver.url });
    const call = apiOf(gitlab, danaToken);
    const events = `/projects/${project.id}/hooks/${webhook.id}/events`;
    await gitlab.comment(dana, 1, 'one');
    await gitlab.deliveriesSettled();

    const resent = await call('POST', `${events}/1/resend`);
    const logged = await call('GET', `${events}?status=server_failure`);

    const key = receiver.received[0]?.headers['idempotency-key'];
    expect(resent).toMatchObject({ status: 201, body: { response_status: 500 } });
    expect(logged.body).toMatchObject([
      { id: 2, trigger: 'note_hooks', request_headers: { 'Idempotency-Key': key } },
      { id: 1, trigger: 'note_hooks', request_headers: { 'Idempotency-Key': key } },
    ]);
    expect(receiver.received[1]?.headers['idempotency-key']).toBe(key);
  });

  it('are refused where nobody answers, to another address, for a stopped webhook, and more than five in a minute', async () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    await using gitlab = await startFakeGitLab({ clock });
    const { project, dana, danaToken } = await aMergeRequestOn(gitlab);
    const webhook = gitlab.addWebhook({ url: 'http://127.0.0.1:1/' });
    const call = apiOf(gitlab, danaToken);
    const path = `/projects/${project.id}/hooks/${webhook.id}/events/1/resend`;
    await gitlab.comment(dana, 1, 'one');
    await gitlab.deliveriesSettled();

    const away = await call('POST', path);
    webhook.url = 'http://127.0.0.1:2/';
    const moved = await call('POST', path);
    webhook.url = 'http://127.0.0.1:1/';
    gitlab.disableWebhook(webhook, null);
    const stopped = await call('POST', path);
    const others = [await call('POST', path), await call('POST', path), await call('POST', path)];
    clock.jump(60_000);
    const later = await call('POST', path);

    expect([away.status, moved.status, stopped.status]).toEqual([422, 422, 422]);
    expect(others.map(({ status }) => status)).toEqual([422, 422, 429]);
    expect(later.status).toBe(422);
    expect(gitlab.deliveries).toHaveLength(2);
  });
});

describe('webhook bodies', () => {
  it('stand alone with defaults', () => {
    expect(mergeRequestHook()).toMatchObject({
      object_kind: 'merge_request',
      object_attributes: { action: 'open', iid: 1 },
    });
    expect(mergeRequestHook({ oldrev: 'abc' })).toMatchObject({ object_attributes: { oldrev: 'abc' } });
    expect(noteHook({ note: { body: '/drydock review' } })).toMatchObject({
      object_attributes: { note: '/drydock review', action: 'create' },
    });
    expect(pushHook({ after: '0'.repeat(40) })).toMatchObject({ checkout_sha: null });
  });
});
