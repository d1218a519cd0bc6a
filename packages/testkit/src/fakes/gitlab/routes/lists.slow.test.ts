import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ManualClock } from '../../../manual-clock.ts';
import { apiOf } from '../api-client.ts';
import type { FakeGitLab } from '../fake-gitlab.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

const Items = z.array(z.object({ id: z.int(), iid: z.int().optional() }));

async function idsOf(gitlab: FakeGitLab, path: string): Promise<readonly number[]> {
  return Items.parse((await apiOf(gitlab)('GET', path)).body).map(({ id }) => id);
}

async function withProjects(clock: ManualClock) {
  const gitlab = await startFakeGitLab({ clock });
  const ada = gitlab.createUser({ username: 'ada' });
  const open = async (path: string) => {
    const project = await gitlab.createProject({ path, files: { 'a.txt': 'a\n' } });
    await gitlab.push(project, 'b', { 'a.txt': 'b\n' }, { from: 'main' });
    const mergeRequest = await gitlab.openMergeRequest({ project, sourceBranch: 'b', title: path, author: ada });
    return { project, mergeRequest };
  };
  return { gitlab, ada, ours: await open('shop/ours'), foreign: await open('world/public'), open };
}

describe('lists of the whole instance', () => {
  it('tell the projects of a member, after an id', async () => {
    const clock = new ManualClock();
    const { gitlab, ours, foreign, open } = await withProjects(clock);
    await using _ = gitlab;
    foreign.project.visibility = 'public';
    gitlab.setRole(foreign.project, gitlab.bot, null);
    const second = await open('shop/second');

    const query = 'simple=true&archived=false&with_merge_requests_enabled=true&order_by=id&sort=asc';

    expect(await idsOf(gitlab, `/projects?${query}&min_access_level=20`)).toEqual([ours.project.id, second.project.id]);
    expect(await idsOf(gitlab, `/projects?${query}&membership=true&id_after=${ours.project.id}`)).toEqual([
      second.project.id,
    ]);
    expect(await idsOf(gitlab, `/projects?${query}`)).toContain(foreign.project.id);
  });

  it('tell merge requests by scope, those of strangers in public projects too', async () => {
    const clock = new ManualClock();
    const { gitlab, ours, foreign } = await withProjects(clock);
    await using _ = gitlab;
    gitlab.setRole(foreign.project, gitlab.bot, null);

    const ofPrivate = await idsOf(gitlab, '/merge_requests?scope=all');
    foreign.project.visibility = 'public';

    expect(ofPrivate).toEqual([ours.mergeRequest.id]);
    expect(await idsOf(gitlab, '/merge_requests?scope=all&sort=asc')).toEqual([
      ours.mergeRequest.id,
      foreign.mergeRequest.id,
    ]);
    expect(await idsOf(gitlab, '/merge_requests')).toEqual([]);
    expect((await apiOf(gitlab, null)('GET', '/merge_requests?scope=all')).status).toBe(401);
  });

  it('take `updated_after` to mean at that time or later', async () => {
    const clock = new ManualClock();
    const { gitlab, ours, foreign } = await withProjects(clock);
    await using _ = gitlab;
    await clock.advance(60_000);
    await gitlab.push(ours.project, 'b', { 'a.txt': 'c\n' });
    const after = (ms: number) => encodeURIComponent(new Date(ms).toISOString());
    const list = (ms: number) =>
      `/merge_requests?scope=all&state=opened&order_by=updated_at&updated_after=${after(ms)}`;

    expect(await idsOf(gitlab, list(clock.nowMs()))).toEqual([ours.mergeRequest.id]);
    expect(await idsOf(gitlab, list(clock.nowMs() + 1))).toEqual([]);
    expect(await idsOf(gitlab, list(clock.nowMs() - 60_000))).toEqual([ours.mergeRequest.id, foreign.mergeRequest.id]);
  });
});

describe('a webhook that failed too often', () => {
  it('is sent nothing until its time has come, and shows so to maintainers alone', async () => {
    const clock = new ManualClock();
    const { gitlab, ours } = await withProjects(clock);
    await using _ = gitlab;
    const hook = gitlab.addWebhook({ url: 'http://127.0.0.1:9/webhooks/gitlab' }, ours.project);
    const path = `/projects/${ours.project.id}/hooks`;
    gitlab.disableWebhook(hook, clock.nowMs() + 60_000);

    await gitlab.push(ours.project, 'b', { 'a.txt': 'd\n' });
    const asDeveloper = await apiOf(gitlab)('GET', path);
    gitlab.setRole(ours.project, gitlab.bot, 'maintainer');
    const paused = await apiOf(gitlab)('GET', path);
    await clock.advance(60_000);

    expect(gitlab.deliveries).toHaveLength(0);
    expect(asDeveloper.status).toBe(403);
    expect(paused.body).toMatchObject([
      { id: hook.id, alert_status: 'temporarily_disabled', disabled_until: '2026-01-01T00:01:00.000Z' },
    ]);
    expect((await apiOf(gitlab)('GET', path)).body).toMatchObject([{ alert_status: 'executable' }]);
  });

  it('keeps a log of what failed, of several kinds of failure at once', async () => {
    const { gitlab, ours } = await withProjects(new ManualClock());
    await using _ = gitlab;
    gitlab.setRole(ours.project, gitlab.bot, 'maintainer');
    const hook = gitlab.addWebhook({ url: 'http://127.0.0.1:9/webhooks/gitlab' }, ours.project);
    await gitlab.push(ours.project, 'b', { 'a.txt': 'd\n' });
    await gitlab.deliveriesSettled();
    const path = `/projects/${ours.project.id}/hooks/${hook.id}/events`;

    const failed = await idsOf(gitlab, `${path}?status=client_failure,server_failure&per_page=1`);

    expect(failed).toEqual([gitlab.deliveries.at(-1)?.id]);
    expect(await idsOf(gitlab, `${path}?status=successful`)).toEqual([]);
    expect((await apiOf(gitlab)('GET', `${path}?per_page=21`)).status).toBe(400);
  });
});
