import { describe, expect, it } from '@jest/globals';
import { rowsFile, startStage, until } from './start-stage.ts';

const limitMs = 600_000;
/** GitHub's for one App and hour; GitLab's are higher. Twenty agents used it up elsewhere. */
const callsPerHour = 5000;
/** Twenty places, each with a review every six minutes. */
const reviewsPerHour = 200;

/** Calls of the API since the last look. Git's own are none of it, and who we are is asked once a process. */
function countCalls({ gitlab }: Awaited<ReturnType<typeof startStage>>) {
  let from = gitlab.requests.length;
  return async () => {
    await gitlab.deliveriesSettled();
    const calls = gitlab.requests.slice(from).filter(({ path }) => path.startsWith('/api/') && path !== '/api/v4/user');
    from = gitlab.requests.length;
    return { all: calls.length, writes: calls.filter(({ method }) => method !== 'GET').length };
  };
}

describe('the calls of the forge that a task costs', () => {
  it(
    'reported 10: are few and known for a first review, a further one, one with nothing new, and none at all',
    async () => {
      await using stage = await startStage();
      const { gitlab, project, author } = stage;
      const taken = countCalls(stage);

      const { iid, taskId } = await stage.openMergeRequest({ bugs: 3 });
      await stage.ended(taskId);
      const first = await taken();
      await gitlab.push(project, 'work', { 'src/more.ts': rowsFile(1) }, { by: author });
      await stage.ended(taskId, 2);
      const further = await taken();
      await gitlab.push(project, 'work', { 'src/clean.ts': 'export {};\n' }, { by: author });
      await stage.ended(taskId, 3);
      const nothingNew = await taken();
      await gitlab.updateMergeRequest(iid, { labels: ['backend'] });
      await until(async () => ((await stage.standalone.queue.get(taskId))?.outcome?.kind === 'skipped' ? true : null));
      const noReview = await taken();

      process.stderr.write(`calls of the forge: ${JSON.stringify({ first, further, nothingNew, noReview })}\n`);
      expect(gitlab.discussions(iid)).toHaveLength(4);
      // Its summary note is written twice, and each finding once.
      expect(first.writes).toBe(2 + 3);
      expect(further.writes).toBe(2 + 1);
      expect(nothingNew.writes).toBe(2);
      expect(noReview).toEqual({ all: 3, writes: 0 });
      for (const { all } of [first, further, nothingNew])
        expect(all).toBeLessThanOrEqual(callsPerHour / reviewsPerHour);
    },
    limitMs,
  );

  it(
    'reported 10: grow by one for each comment',
    async () => {
      await using one = await startStage();
      await using five = await startStage();
      const [ofOne, ofFive] = [countCalls(one), countCalls(five)];

      const [task, other] = [await one.openMergeRequest({ bugs: 1 }), await five.openMergeRequest({ bugs: 5 })];
      await Promise.all([one.ended(task.taskId), five.ended(other.taskId)]);

      expect(five.gitlab.discussions(other.iid)).toHaveLength(5);
      expect((await ofFive()).all - (await ofOne()).all).toBe(4);
    },
    limitMs,
  );
});
