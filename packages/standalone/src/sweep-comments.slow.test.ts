/** A comment that asks for a review, while nobody listens: GitLab's log, a real gateway and server, and the sweep. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Secret, projectAllowList, silentLog, systemClock, taskIdOf } from '@drydock/core';
import { deliverySecrets } from '@drydock/forge';
import { MemorySweepState, MemoryTaskQueue } from '@drydock/queue';
import { createServerMetrics, gatewayLogs, startServer } from '@drydock/server';
import { ManualClock, startFakeGitLab } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { everyMs, hourMs, passTime, startForgeGateway, startSweepOver } from './testing/sweep-stage.ts';

const secret = new Secret('webhook-secret');

it('reviews once what a comment asked for while the server was away, however long the webhook goes on to be seen', async () => {
  await using stack = new AsyncDisposableStack();
  const clock = new ManualClock(Date.now());
  const queue = new MemoryTaskQueue({ clock });
  const gitlab = stack.use(await startFakeGitLab({ clock, requestsPerMinute: null }));
  const folder = await mkdtemp(join(tmpdir(), 'drydock-comments-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const gateway = await startForgeGateway(gitlab, join(folder, 'mirrors'));
  stack.defer(() => gateway.close());
  const listen = async (port: number) => {
    const registry = new Registry();
    return await startServer(
      {
        queue,
        registry,
        metrics: createServerMetrics(registry),
        log: silentLog,
        clock: systemClock,
        version: '0',
        store: 'memory',
        runLogs: gatewayLogs({ url: gateway.url, viewToken: new Secret('view-token'), timeoutMs: 30_000 }),
      },
      {
        hooks: new Map([['gitlab', deliverySecrets([secret])]]),
        isAllowed: projectAllowList(['**']),
        debounceMs: 0,
        maxDebounceMs: 0,
        maxBodyBytes: 1_000_000,
        maxBytesInFlight: 10_000_000,
        controlTokens: [],
      },
      { host: '127.0.0.1', port },
    );
  };
  const first = await listen(0);
  const author = gitlab.createUser({ username: 'ada' });
  const project = await gitlab.createProject({ path: 'shop/orders', files: { 'a.txt': 'a\n' } });
  gitlab.setRole(project, author, 'maintainer');
  gitlab.setRole(project, gitlab.bot, 'maintainer');
  gitlab.addWebhook({ url: `${first.url}/webhooks/gitlab`, secretToken: secret.reveal() });
  await gitlab.push(project, 'b', { 'a.txt': 'b\n' }, { from: 'main' });
  const { iid } = await gitlab.openMergeRequest({ project, sourceBranch: 'b', title: 'A change', author });
  await gitlab.deliveriesSettled();
  const taskId = taskIdOf('review', { forge: 'gitlab', projectId: String(project.id), iid });
  const reviewAll = async () => {
    const limits = { total: 10, perForge: null, perProject: null };
    for (let count = 0; ; count += 1) {
      const task = await queue.lease({ owner: 's', ttlMs: hourMs, limits });
      if (task === null) return count;
      await queue.beginLaunch(task, task.headSha ?? '');
      await queue.complete(task, { kind: 'done' });
    }
  };
  const atFirst = await reviewAll();
  await first.stop();

  await gitlab.comment(author, iid, '/drydock review');
  await gitlab.deliveriesSettled();
  const state = new MemorySweepState(clock);
  const sweep = startSweepOver({ gateway, clock, queue, state });
  const pass = async (ms: number) => {
    for (let leftMs = ms; leftMs > 0; leftMs -= everyMs / 2) await passTime(clock, everyMs / 2);
  };
  await pass(hourMs / 2);
  const whileAway = await reviewAll();
  const triedWhileAway = gitlab.deliveries.length;
  const second = await listen(first.port);
  stack.defer(() => second.stop());
  await pass(hourMs);
  const trigger = (await queue.get(taskId))?.trigger;
  const healed = await reviewAll();
  await pass(3 * hourMs);
  const later = await reviewAll();
  const stopping = sweep.stop();
  await clock.advance(0);
  await stopping;

  expect({ atFirst, whileAway, healed, later }).toEqual({ atFirst: 1, whileAway: 0, healed: 1, later: 0 });
  expect(trigger).toBe('commanded');
  const ofComment = gitlab.deliveries.filter(({ event }) => event === 'Note Hook');
  expect(new Set(ofComment.map(({ headers }) => headers['Idempotency-Key'])).size).toBe(1);
  expect(ofComment.length).toBeLessThanOrEqual(4);
  expect(ofComment.at(-1)?.status).toBe(200);
  expect(triedWhileAway).toBeLessThanOrEqual(5);
});
