import { describe, expect, it } from '@jest/globals';
import type { GitLabFault } from '@drydock/testkit';
import type { Forge } from '@drydock/forge';
import { PublishBench, instantClock, type Claim } from './publish.contract.ts';
import { publishReview } from './publish-review.ts';

const lines = Array.from({ length: 12 }, (_, index) => `statement(${index});`);
const setup = { before: { 'a.ts': 'start\n' }, after: { 'a.ts': `start\n${lines.join('\n')}\n` } };
const claims: readonly Claim[] = lines.slice(0, 6).map((line) => ({ path: 'a.ts', at: line, title: line }));
const impatient = { connectMs: 60_000, headersMs: 1000, idleMs: 60_000, totalMs: 60_000 };
const writes = /\/(?:discussions|notes|statuses)(?:\/|$)/;

/** One comment for each claim, one summary, each finding in it. */
function expectWhole(bench: PublishBench, count = claims.length): void {
  const titles = bench.threads.map((thread) => /statement\(\d+\)/.exec(thread.notes[0]?.body ?? '')?.[0]);
  expect(new Set(titles).size).toBe(count);
  expect(titles).toHaveLength(count);
  expect(bench.summaries).toHaveLength(1);
  expect(bench.summaries[0]).toContain(`**Drydock: ${count} findings`);
}

describe('publishReview when writes fail', () => {
  it.each<[string, Partial<GitLabFault>]>([
    ['answers 500', { mode: 'execute-then-fail', status: 500 }],
    ['answers 502', { mode: 'execute-then-fail', status: 502 }],
    ['breaks the connection', { mode: 'execute-then-fail', status: null }],
    ['breaks off in the answer', { mode: 'cut-body' }],
  ])('posts each comment once though every write is done and then %s', async (_, fault) => {
    await using bench = await PublishBench.start({ ...setup, policy: { commitStatus: true } });
    for (const method of ['POST', 'PUT', 'DELETE'])
      bench.gitlab.faults.add({ mode: 'execute-then-fail', match: { method, path: writes }, times: 1000, ...fault });

    const publication = await bench.publishUntilDone(await bench.review(claims));

    expectWhole(bench);
    expect(publication.comments.every(({ placement, isNew }) => placement === 'inline' && isNew)).toBe(true);
    expect(bench.gitlab.statuses(publication.headSha)).toMatchObject([{ status: 'success' }]);
  });

  it.each<[string, Partial<GitLabFault>]>([
    ['is not done and answers 503', { mode: 'fail-before', status: 503 }],
    ['hangs', { mode: 'hang' }],
    ['answers with a page of HTML', { mode: 'html' }],
    ['answers without end', { mode: 'huge-body', bytes: 70 * 1024 * 1024 }],
    ['redirects elsewhere', { mode: 'redirect', status: 302, location: 'http://127.0.0.1:9/' }],
  ])('posts each comment once though now and then a write %s', async (_, fault) => {
    await using bench = await PublishBench.start({ ...setup, forge: { timeouts: impatient } });
    for (const nth of [2, 4])
      bench.gitlab.faults.add({ mode: 'hang', match: { method: 'POST', path: writes, nth }, ...fault });

    await bench.publishUntilDone(await bench.review(claims));

    expectWhole(bench);
  });

  it('posts what is missing after it was killed between any two writes', async () => {
    for (let killedAfter = 0; killedAfter <= claims.length + 1; killedAfter += 1) {
      await using victim = await PublishBench.start(setup);
      const own = await victim.review(claims);
      const life = new AbortController();

      const killed = await publishReview(
        { ...victim.ports, forge: dyingForge(victim.forge, killedAfter, life) },
        own,
        life.signal,
      )
        .then(() => 'finished')
        .catch((error: unknown) => (error as { code?: string }).code);
      const standing = victim.threads.length;
      await victim.publishUntilDone(own);

      expect([killed, standing]).toEqual(
        killedAfter > claims.length ? ['finished', claims.length] : ['aborted', killedAfter],
      );
      expectWhole(victim);
    }
  });

  it('comes to one comment each when two publish the same review at once', async () => {
    await using bench = await PublishBench.start(setup);
    const review = await bench.review(claims);

    await Promise.allSettled([1, 2, 3].map(() => publishReview(bench.ports, review, new AbortController().signal)));
    await bench.publishUntilDone(review);

    expectWhole(bench);
  });

  it('leaves a duplicate that a person has answered', async () => {
    await using bench = await PublishBench.start(setup);
    await bench.publish(claims.slice(0, 1));
    const [first] = bench.threads;
    const copy = { body: first?.notes[0]?.body ?? '', position: first?.notes[0]?.originalPosition ?? undefined };
    for (const reply of ['an answer', null]) {
      const options = copy.position === undefined ? {} : { position: copy.position };
      const note = await bench.gitlab.comment(bench.gitlab.bot, 1, copy.body, options);
      if (reply !== null && note !== null)
        await bench.gitlab.comment(bench.author, 1, reply, { discussionId: note.discussionId });
    }

    await bench.publish(claims.slice(0, 1));

    expect(bench.threads.map((thread) => thread.notes.length)).toEqual([1, 2]);
  });

  it('places on the file what the forge fails to place on the line, and gives up when it fails for all', async () => {
    await using bench = await PublishBench.start(setup);
    bench.gitlab.faults.add({
      match: { method: 'POST', path: /discussions$/ },
      mode: 'fail-before',
      status: 500,
      times: 2,
    });

    const publication = await bench.publish(claims.slice(0, 2));

    expect(publication.comments.map(({ placement }) => placement)).toEqual(['file', 'inline']);
    bench.gitlab.faults.add({
      match: { method: 'POST', path: /discussions$/ },
      mode: 'fail-before',
      status: 500,
      times: 99,
    });
    await expect(bench.publish(claims)).rejects.toMatchObject({ kind: 'transient', code: 'forge.unavailable' });
  });

  it.each([
    [7, 7000],
    [null, 60_000],
  ])(
    'stops at a 429 that tells to wait %p seconds, and sends nothing before',
    async (retryAfterSeconds, retryAfterMs) => {
      await using bench = await PublishBench.start({
        ...setup,
        forge: { clock: { ...instantClock, monotonicMs: () => nowMs } },
      });
      let nowMs = 0;
      const review = await bench.review(claims);
      bench.gitlab.faults.add({
        match: { method: 'POST', path: /discussions$/, nth: 3 },
        mode: 'rate-limit',
        retryAfterSeconds,
      });

      await expect(publishReview(bench.ports, review, new AbortController().signal)).rejects.toMatchObject({
        code: 'forge.rate_limited',
        retryAfterMs,
      });
      expect(bench.threads).toHaveLength(2);
      const before = postsOf(bench);
      await expect(publishReview(bench.ports, review, new AbortController().signal)).rejects.toMatchObject({
        code: 'forge.rate_limited',
      });
      expect(postsOf(bench)).toBe(before);
      nowMs += retryAfterMs;

      await bench.publishUntilDone(review, 1);
      expectWhole(bench);
    },
  );

  it('is blocked by a revoked token, and goes on where it was once there is a new one', async () => {
    await using bench = await PublishBench.start(setup);
    const review = await bench.review(claims);
    bench.gitlab.endToken(bench.gitlab.token);

    await expect(bench.publishUntilDone(review)).rejects.toMatchObject({ kind: 'blocked', code: 'forge.unauthorized' });

    expect(bench.threads).toHaveLength(0);
  });
});

function postsOf(bench: PublishBench): number {
  return bench.gitlab.requests.filter(({ method }) => method === 'POST').length;
}

/** Its caller dies before write number `writes + 1`. */
function dyingForge(forge: Forge, writes: number, life: AbortController): Forge {
  let left = writes;
  const dying = <Args extends unknown[], T>(write: (...args: Args) => Promise<T>) => {
    return (...args: Args): Promise<T> => {
      if (left === 0) life.abort();
      left -= 1;
      return write(...args);
    };
  };
  return {
    id: forge.id,
    self: forge.self.bind(forge),
    findProject: forge.findProject.bind(forge),
    readMergeRequest: forge.readMergeRequest.bind(forge),
    readHead: forge.readHead.bind(forge),
    readRole: forge.readRole.bind(forge),
    canListAll: forge.canListAll,
    listProjects: forge.listProjects.bind(forge),
    listOpenMergeRequests: forge.listOpenMergeRequests.bind(forge),
    listHooks: forge.listHooks.bind(forge),
    listFailedDeliveries: forge.listFailedDeliveries.bind(forge),
    resendDelivery: forge.resendDelivery.bind(forge),
    gitRemote: forge.gitRemote.bind(forge),
    listOwnThreads: forge.listOwnThreads.bind(forge),
    createThread: dying(forge.createThread.bind(forge)),
    createNote: dying(forge.createNote.bind(forge)),
    editNote: dying(forge.editNote.bind(forge)),
    deleteNote: dying(forge.deleteNote.bind(forge)),
    setResolved: dying(forge.setResolved.bind(forge)),
    setCommitStatus: dying(forge.setCommitStatus.bind(forge)),
    noteUrl: forge.noteUrl.bind(forge),
    close: forge.close.bind(forge),
  };
}
