import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TaskDetail } from '@drydock/core';
import {
  buildDemoRepository,
  demoProject,
  scriptedReviewer,
  type ClaudeScript,
  type DemoRepository,
  type FakeGitLab,
  type GitLabProject,
  type GitLabUser,
  type PlantedBug,
} from '@drydock/testkit';
import { moveBranch } from './move-branch.ts';
import { ClusterStage } from './cluster-stage.ts';

const openMs = 900_000;
const reviewMs = 240_000;

/** The model waits here, from its second turn on, until the test lets it go on. */
let gate = Promise.resolve();
const heldReviewer: ClaudeScript = async (request, place) => {
  if (place.turn > 1) await gate;
  return scriptedReviewer()(request, place);
};

let folder: string;
let stage: ClusterStage;
let gitlab: FakeGitLab;
let repository: DemoRepository;
let project: GitLabProject;
let author: GitLabUser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-cluster-review-'));
  repository = await buildDemoRepository(join(folder, 'origin.git'));
  stage = await ClusterStage.open({ name: 'review', script: heldReviewer });
  ({ gitlab } = stage);
  project = await stage.createProject({ path: demoProject.path, fromDir: repository.gitDir });
  author = gitlab.createUser({ username: 'jonas', name: demoProject.mergeRequest.authorName });
  gitlab.setRole(project, author, 'developer');
}, openMs);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

/** A hold on the model; what is returned lets it go on. */
function holdModel(): () => void {
  let release: () => void = () => undefined;
  gate = new Promise((resolve) => {
    release = resolve;
  });
  return release;
}

/** Where threads of ours stand, each as `path:line`; of a removed line the old one. */
function places(iid: number): readonly string[] {
  return gitlab.discussions(iid).map(({ notes: [note] }) => {
    const position = note?.originalPosition;
    const isOld = position?.new_line === null || position?.new_line === undefined;
    const path = isOld ? position?.old_path : position.new_path;
    return `${String(path)}:${String(isOld ? position?.old_line : position.new_line)}`;
  });
}

function placesOf(bugs: readonly PlantedBug[]): readonly string[] {
  return bugs.map(({ path, endLine }) => `${path}:${String(endLine)}`);
}

const hasEnded =
  (attempt: number) =>
  ({ task }: TaskDetail): boolean =>
    task.attempt >= attempt && task.outcome !== null && !/waiting|leased|running|publishing/.test(task.state);

describe('a merge request in a real cluster', () => {
  it(
    'is reviewed by a pod: from its webhook to comments, and seen on its way by those who look',
    async () => {
      const release = holdModel();
      const startedAtMs = performance.now();
      const { title, description, sourceBranch, targetBranch } = demoProject.mergeRequest;

      const { iid } = await gitlab.openMergeRequest({
        project,
        sourceBranch,
        targetBranch,
        title,
        description,
        author,
      });
      const taskId = stage.taskId(project, iid);
      await gitlab.deliveriesSettled();
      const logs = stage.drydock(['logs', '-f', taskId]);
      await logs.says('turn 1');
      const atWorkMs = performance.now() - startedAtMs;

      expect(await stage.ask('get', 'tasks')).toMatch(new RegExp(`${demoProject.path}!${String(iid)} .*running`));
      expect(await stage.names('jobs')).toEqual([expect.stringMatching(/^dd-[0-9a-f]{16}-\d+$/)]);
      expect(gitlab.discussions(iid)).toEqual([]);

      release();
      expect(await logs.ended).toBe(0);
      expect((await stage.taskIs(taskId, hasEnded(1))).task.state).toBe('done');
      process.stderr.write(`webhook to agent at work: ${(atWorkMs / 1000).toFixed(1)} s\n`);

      expect([...places(iid)].sort()).toEqual([...placesOf(demoProject.expected)].sort());
      const summaries = gitlab.notes(iid).filter((note) => note.type === null && note.authorId === gitlab.bot.id);
      expect(summaries).toHaveLength(1);
      expect(summaries[0]?.body).toMatch(/9 findings/);
      expect(logs.stdout()).toMatch(/finding, critical: src\/config\.ts:13/);
      // Its end is recorded: nothing of it is left in the cluster.
      await stage.nothingLeft();
      expect(await stage.ask('logs', taskId)).toBe(logs.stdout());
    },
    reviewMs,
  );

  it(
    'is reviewed again when it is pushed to, superseding a review that runs, and nothing is said twice',
    async () => {
      const [{ iid } = { iid: 0 }] = project.mergeRequests;
      const taskId = stage.taskId(project, iid);
      const before = gitlab.discussions(iid).map(({ id }) => id);
      const bodies = () => gitlab.discussions(iid).map(({ notes: [note] }) => note?.body ?? '');
      const release = holdModel();
      await gitlab.comment(author, iid, '/drydock review');
      const logs = stage.drydock(['logs', '-f', taskId, '--attempt', '2']);
      await logs.says('turn 1');

      await moveBranch(repository.gitDir, demoProject.mergeRequest.sourceBranch, repository.secondHeadSha);
      await gitlab.pushFrom(project, repository.gitDir, demoProject.mergeRequest.sourceBranch, author);
      await gitlab.deliveriesSettled();
      await stage.taskIs(taskId, ({ events }) => events.some(({ what }) => what === 'superseding'));
      release();

      const { task, events } = await stage.taskIs(taskId, hasEnded(3));
      expect(task).toMatchObject({ state: 'done', attempt: 3, failures: 0 });
      expect(events.filter(({ what }) => what === 'superseding')).toHaveLength(1);
      expect(gitlab.discussions(iid).map(({ id }) => id)).toEqual(before);
      expect(new Set(bodies()).size).toBe(before.length);
      const resolved = gitlab.discussions(iid).filter(({ notes }) => notes[0]?.resolvedById !== null);
      expect(resolved).toHaveLength(demoProject.secondPush.fixed.length);
      expect(gitlab.notes(iid).filter((note) => note.type === null && note.authorId === gitlab.bot.id)).toHaveLength(1);
      await stage.nothingLeft();
    },
    reviewMs,
  );

  it('shows no secret in any object, log, comment or prompt, at any time', async () => {
    const { record } = stage;
    const told = [
      ...project.mergeRequests.flatMap(({ iid }) => gitlab.notes(iid).map(({ body }) => body)),
      ...stage.claude.requests.map(({ json }) => JSON.stringify(json)),
      await stage.logs('server'),
      await stage.logs('scheduler'),
      await stage.logs('gateway'),
    ].join('\n');

    const seen = record.texts;
    expect(seen.get('pods')?.length).toBeGreaterThan(10_000);
    const [{ iid } = { iid: 0 }] = project.mergeRequests;
    expect(record.podsSeen(stage.taskId(project, iid))).toHaveLength(3);
    const canaries = await stage.canaries();
    expect(canaries.size).toBeGreaterThanOrEqual(9);
    for (const [name, secret] of canaries) {
      expect([name, record.find(secret)]).toEqual([name, []]);
      expect([name, told.includes(secret)]).toEqual([name, false]);
    }
    expect(gitlab.violations).toEqual([]);
    expect(gitlab.effects).toEqual([]);
  });
});
