import { describe, expect, it } from '@jest/globals';
import { BlockedError, TerminalError, TransientError } from '@drydock/core';
import { ManualClock, startFakeGitLab, type FakeGitLab } from '@drydock/testkit';
import type { ListPage } from './forge.ts';
import { connect, signal } from './gitlab-forge.contract.ts';

const firstMs = Date.UTC(2026, 0, 1);

/** A project with so many merge requests, each changed a second after the one before. */
async function withMergeRequests(count: number) {
  const clock = new ManualClock(firstMs);
  const gitlab = await startFakeGitLab({ clock, requestsPerMinute: null });
  const author = gitlab.createUser({ username: 'ada' });
  const project = await gitlab.createProject({ path: 'shop/orders', files: { 'a.txt': 'a\n' } });
  await gitlab.push(project, 'b', { 'a.txt': 'b\n' }, { from: 'main' });
  const first = await gitlab.openMergeRequest({ project, sourceBranch: 'b', title: 'One of many', author });
  clock.jump(1000);
  for (let iid = 2; iid <= count; iid += 1) {
    const updatedAtMs = clock.nowMs();
    project.mergeRequests.push({ ...first, id: first.id + 100_000 + iid, iid, createdAtMs: updatedAtMs, updatedAtMs });
    clock.jump(1000);
  }
  return { clock, gitlab, project, projectId: String(project.id) };
}

async function all<Item>(list: (cursor: string | null) => Promise<ListPage<Item>>, between = () => {}) {
  const items: Item[] = [];
  let pages = 0;
  let cursor: string | null = null;
  do {
    const page: ListPage<Item> = await list(cursor);
    items.push(...page.items);
    cursor = page.cursor;
    pages += 1;
    between();
  } while (cursor !== null);
  return { items, pages };
}

function apiCalls({ requests }: FakeGitLab): number {
  return requests.filter(({ path }) => path.startsWith('/api/')).length;
}

describe('GitLabForge lists', () => {
  it('the projects that it is a member of, in pages by their ids', async () => {
    await using gitlab = await startFakeGitLab();
    await using forge = connect(gitlab);
    const [stranger, guest] = [
      await gitlab.createProject({ path: 'a/b' }),
      await gitlab.createProject({ path: 'a/c' }),
    ];
    gitlab.setRole(stranger, gitlab.bot, null);
    gitlab.setRole(guest, gitlab.bot, 'guest');
    const paths = Array.from({ length: 101 }, (_, number) => `shop/p${number}`);
    for (const path of paths) await gitlab.createProject({ path });

    const { items, pages } = await all((cursor) => forge.listProjects(cursor, signal));

    expect(items.map(({ projectPath }) => projectPath)).toEqual(paths);
    expect({ pages, calls: apiCalls(gitlab) }).toEqual({ pages: 2, calls: 2 });
  });

  it('open merge requests of one project that changed at a time or later', async () => {
    const { gitlab, projectId } = await withMergeRequests(3);
    await using _ = gitlab;
    await using forge = connect(gitlab);
    await gitlab.updateMergeRequest(2, { state: 'closed' });

    const query = { projectId, updatedAfterMs: firstMs, cursor: null };
    const { items, cursor } = await forge.listOpenMergeRequests(query, signal);
    const later = await forge.listOpenMergeRequests({ ...query, updatedAfterMs: firstMs + 1 }, signal);

    const headSha = gitlab.diffRefs(1).head_sha;
    const at = (iid: number, updatedAtMs: number) => ({
      ref: { forge: 'gitlab', projectId, iid },
      projectPath: 'shop/orders',
      headSha,
      updatedAtMs,
    });
    expect(items).toEqual([at(1, firstMs), at(3, firstMs + 2000)]);
    expect(cursor).toBeNull();
    expect(later.items.map(({ ref }) => ref.iid)).toEqual([3]);
  });

  it('each of many once or more, though some close and some change while it reads', async () => {
    const { gitlab, clock, projectId } = await withMergeRequests(220);
    await using _ = gitlab;
    await using forge = connect(gitlab);
    const atStart = gitlab.project().mergeRequests;
    let page = 0;
    const query = { projectId: null, updatedAfterMs: null };

    const { items, pages } = await all(
      (cursor) => forge.listOpenMergeRequests({ ...query, cursor }, signal),
      () => {
        page += 1;
        if (page !== 1) return;
        // Those on the first page go, and one moves to the end: every border of a page slides.
        for (const mergeRequest of atStart.slice(0, 50)) mergeRequest.state = 'closed';
        for (const mergeRequest of atStart.slice(60, 61)) mergeRequest.updatedAtMs = clock.nowMs();
      },
    );

    const seen = new Set(items.map(({ ref }) => ref.iid));
    expect(atStart.filter(({ iid }) => !seen.has(iid))).toEqual([]);
    expect({ pages, projectId }).toEqual({ pages: 3, projectId });
  });

  it('more than a page that changed in the same millisecond', async () => {
    const { gitlab } = await withMergeRequests(205);
    await using _ = gitlab;
    await using forge = connect(gitlab);
    for (const mergeRequest of gitlab.project().mergeRequests) mergeRequest.updatedAtMs = firstMs;

    const { items, pages } = await all((cursor) =>
      forge.listOpenMergeRequests({ projectId: null, updatedAfterMs: null, cursor }, signal),
    );

    expect(new Set(items.map(({ ref }) => ref.iid)).size).toBe(205);
    expect(pages).toBeLessThanOrEqual(4);
  });

  it('webhooks that are ours with their state, as far as its role lets it look', async () => {
    const { gitlab, project, projectId } = await withMergeRequests(1);
    await using _ = gitlab;
    await using forge = connect(gitlab);
    gitlab.addWebhook({ url: 'http://127.0.0.1:9/elsewhere' });
    const sending = gitlab.addWebhook({ url: 'http://127.0.0.1:9/base/webhooks/gitlab', events: ['note_events'] });
    const paused = gitlab.addWebhook({ url: 'http://127.0.0.1:9/webhooks/gitlab' });
    const off = gitlab.addWebhook({ url: 'http://127.0.0.1:9/webhooks/gitlab', events: [] });
    await gitlab.push(project, 'b', { 'a.txt': 'c\n' });
    await gitlab.deliveriesSettled();
    gitlab.disableWebhook(paused, firstMs + 3_600_000);
    gitlab.disableWebhook(off, null);
    const failed = gitlab.deliveries.filter(({ webhookId }) => webhookId === paused.id).at(-1);

    const asDeveloper = await forge.listHooks(projectId, signal);
    gitlab.setRole(project, gitlab.bot, 'maintainer');

    expect(asDeveloper).toBeNull();
    expect(await forge.listHooks(projectId, signal)).toEqual([
      { hookId: String(sending.id), state: 'sending', lastFailedId: null },
      { hookId: String(paused.id), state: 'paused', lastFailedId: String(failed?.id) },
      { hookId: String(off.id), state: 'off', lastFailedId: null },
    ]);
  });

  it('nothing by a cursor that it did not give', async () => {
    await using gitlab = await startFakeGitLab();
    await using forge = connect(gitlab);
    const query = { projectId: null, updatedAfterMs: null };

    for (const cursor of ['', 'x', '1', '1.0', '-1.1', '1.1&scope=x', '9999999999999999.1']) {
      await expect(forge.listOpenMergeRequests({ ...query, cursor }, signal)).rejects.toThrow(TerminalError);
    }
    await expect(forge.listProjects('1 or 1', signal)).rejects.toThrow(TerminalError);
    expect(apiCalls(gitlab)).toBe(0);
  });

  it('with the errors of all calls, and tells of every answer', async () => {
    await using gitlab = await startFakeGitLab();
    const answers: number[] = [];
    await using forge = connect(gitlab, { onAnswer: (status) => answers.push(status) });
    await forge.listProjects(null, signal);
    gitlab.faults.add({ mode: 'rate-limit', match: { path: /projects/ }, retryAfterSeconds: 7 });
    const limited = await forge.listProjects(null, signal).catch((error: unknown) => error);
    await using other = connect({ url: gitlab.url, token: 'wrong', caPem: null });

    expect(limited).toBeInstanceOf(TransientError);
    expect(limited).toMatchObject({ code: 'forge.rate_limited', retryAfterMs: 7000 });
    await expect(other.listProjects(null, signal)).rejects.toThrow(BlockedError);
    expect(answers).toEqual([200, 429]);
  });

  it('all projects at once, but not where the whole world has its projects', async () => {
    await using gitlab = await startFakeGitLab();
    await using own = connect(gitlab);
    await using shared = connect(gitlab, { baseUrl: 'https://gitlab.com' });

    expect([own.canListAll, shared.canListAll]).toEqual([true, false]);
  });
});
