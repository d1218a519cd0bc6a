import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { connect, signal, start } from './gitlab-forge.contract.ts';

const away = 'http://127.0.0.1:9/webhooks/gitlab';

async function withFailures(options: Parameters<typeof start>[0] = {}) {
  const world = await start(options);
  world.gitlab.setRole(world.project, world.gitlab.bot, 'maintainer');
  const webhook = world.gitlab.addWebhook({ url: away });
  await world.gitlab.comment(world.author, world.ref.iid, '/drydock review');
  await world.gitlab.push(world.project, 'feature', { 'a.ts': 'three\n' }, { by: world.author });
  await world.gitlab.deliveriesSettled();
  const hook = { projectId: world.ref.projectId, hookId: String(webhook.id) };
  return { ...world, webhook, hook };
}

describe('GitLabForge and deliveries that failed', () => {
  it('lists them newest first with their key and what they are about, of a webhook that is ours', async () => {
    const { gitlab, project, hook, author, ref } = await withFailures();
    await using _ = gitlab;
    await using forge = connect(gitlab);
    const foreign = gitlab.addWebhook({ url: 'http://127.0.0.1:9/elsewhere', events: ['note_events'] });
    await gitlab.comment(author, ref.iid, 'and now?');
    await gitlab.deliveriesSettled();

    const listed = await forge.listFailedDeliveries(hook, 1, signal);
    const ofForeign = await forge.listFailedDeliveries({ ...hook, hookId: String(foreign.id) }, 1, signal);
    gitlab.setRole(project, gitlab.bot, 'developer');

    const keyOf = (eventId: string | undefined) =>
      gitlab.deliveries.find(({ id }) => String(id) === eventId)?.headers['Idempotency-Key'];
    const items = listed?.items ?? [];
    expect(items.map(({ about }) => about)).toEqual(expect.arrayContaining(['comment', 'merge-request', 'nothing']));
    expect(items[0]).toMatchObject({ about: 'comment', occurredAtMs: expect.any(Number) });
    expect(items.map(({ deliveryKey }) => deliveryKey)).toEqual(items.map(({ eventId }) => keyOf(eventId)));
    expect(listed?.nextPage).toBeNull();
    expect(ofForeign?.items.map(({ about }) => about)).toEqual(['nothing']);
    expect(await forge.listFailedDeliveries(hook, 1, signal)).toBeNull();
  });

  it('has them sent again, and tells what came of it', async () => {
    const { gitlab, webhook, hook } = await withFailures();
    await using _ = gitlab;
    await using forge = connect(gitlab);
    const eventId = String(gitlab.deliveries[0]?.id);

    const failed = await forge.resendDelivery({ ...hook, eventId }, signal);
    const gone = await forge.resendDelivery({ ...hook, eventId: '999999' }, signal);
    webhook.url = 'http://127.0.0.1:9/moved/webhooks/gitlab';
    const moved = await forge.resendDelivery({ ...hook, eventId }, signal);

    expect([failed, gone, moved]).toEqual(['failed', 'gone', 'failed']);
  });

  it('is refused the sixth in a minute, which holds up nothing else', async () => {
    const { gitlab, hook } = await withFailures({ clock: new ManualClock(Date.UTC(2026, 0, 1)) });
    await using _ = gitlab;
    await using forge = connect(gitlab);
    const eventId = String(gitlab.deliveries[0]?.id);
    for (let count = 0; count < 5; count += 1) await forge.resendDelivery({ ...hook, eventId }, signal);

    await expect(forge.resendDelivery({ ...hook, eventId }, signal)).rejects.toMatchObject({
      code: 'forge.rate_limited',
      retryAfterMs: 60_000,
    });
    expect((await forge.listProjects(null, signal)).items).toHaveLength(1);
  });
});
