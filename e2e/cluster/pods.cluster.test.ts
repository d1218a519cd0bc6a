import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TaskDetail, TaskId } from '@drydock/core';
import type { FakeGitLab, GitLabProject, GitLabUser } from '@drydock/testkit';
import { bringProgram } from '../../cluster/start-cluster.ts';
import { ClusterStage } from './cluster-stage.ts';

const rogueAgent = { name: 'localhost/drydock/agent', program: join(import.meta.dirname, 'rogue-agent.ts') };
const openMs = 900_000;
const caseMs = 240_000;

let stage: ClusterStage;
let gitlab: FakeGitLab;
let author: GitLabUser;
let count = 0;

/** Projects below `hasty/` give an agent 10 seconds. */
const hasty = {
  apiVersion: 'drydock.dev/v1alpha1',
  kind: 'ReviewPolicy',
  metadata: { name: 'hasty', namespace: 'drydock' },
  spec: { projects: ['hasty/*'], review: { budget: { deadlineSeconds: 10 } } },
};
const settings = {
  DRYDOCK_POD_CPU: '300m',
  DRYDOCK_PULL_GRACE_SECONDS: 15,
  DRYDOCK_POD_MEMORY: '128Mi',
  DRYDOCK_POD_EPHEMERAL_STORAGE: '256Mi',
  DRYDOCK_POD_WORK_SIZE: '64Mi',
};

beforeAll(async () => {
  stage = await ClusterStage.open({
    name: 'pods',
    values: async (node, signal) => ({
      image: { tags: { agent: tagOf(await bringProgram(node, rogueAgent, signal)) } },
      scheduler: { replicas: 2, settings },
    }),
  });
  ({ gitlab } = stage);
  author = gitlab.createUser({ username: 'ada' });
  await stage.apply(hasty);
}, openMs);
afterAll(() => stage[Symbol.asyncDispose](), 120_000);

function tagOf(reference: string): string {
  return reference.split(':').at(-1) ?? '';
}

/** A merge request whose agent does what the title says. */
interface Opened {
  readonly project: GitLabProject;
  readonly iid: number;
  readonly taskId: TaskId;
}

async function open(title: string, group: 'small' | 'hasty' = 'small'): Promise<Opened> {
  count += 1;
  const files = { 'README.md': '# A project\n' };
  const project = await stage.createProject({ path: `${group}/case-${String(count)}`, files });
  gitlab.setRole(project, author, 'developer');
  await gitlab.push(project, 'work', { 'src/a.ts': 'export const a = 1;\n' }, { by: author });
  const branches = { sourceBranch: 'work', targetBranch: 'main' };
  const { iid } = await gitlab.openMergeRequest({ project, ...branches, title, author });
  await gitlab.deliveriesSettled();
  return { project, iid, taskId: stage.taskId(project, iid) };
}

const isOver = ({ task }: TaskDetail) => /^(done|skipped|cancelled|dead)$/.test(task.state) && task.outcome !== null;
const isRetrying =
  (code: string) =>
  ({ events }: TaskDetail): boolean =>
    events.some(({ what, detail }) => what === 'retrying' && detail === code);

/** The one note that tells how it is; there is never a second one. */
function summary({ project, iid }: Opened): string {
  const notes = gitlab.notes(iid, project).filter(({ authorId }) => authorId === gitlab.bot.id);
  expect(notes).toHaveLength(1);
  return notes[0]?.body ?? '';
}

/** Waits until the agent of an attempt has said that it is at work. */
async function atWork({ taskId }: Opened, attempt = 1): Promise<string> {
  const logs = stage.drydock(['logs', '-f', taskId, '--attempt', String(attempt)]);
  await logs.says('rogue agent');
  logs.stop();
  await logs.ended;
  const pods = await stage.podsOf(taskId);
  expect(pods).toHaveLength(1);
  return pods[0] ?? '';
}

/** How often an agent was begun: each launch has one pod, and no more. */
async function launches({ taskId }: Opened): Promise<number> {
  const detail = await stage.taskIs(taskId, () => true);
  const launched = detail.events.filter(({ what }) => what === 'launched').length;
  expect(stage.record.podsSeen(taskId).length).toBe(launched);
  return launched;
}

describe('agents in real pods, several at once', () => {
  const titles = ['eat memory', 'fill disk', 'exit 0, then work 0', 'exit 7, then work 0'] as const;
  const cases = new Map<string, Opened>();
  const caseOf = (title: (typeof titles)[number]): Opened => {
    const found = cases.get(title);
    if (found === undefined) throw new Error(`nobody opened ${title}`);
    return found;
  };
  beforeAll(async () => {
    for (const title of titles) cases.set(title, await open(title));
  }, caseMs);

  it(
    'row 35, reported 2: one that eats more memory than it may is ended by the kernel, and its task says so',
    async () => {
      const opened = caseOf('eat memory');

      const { task } = await stage.taskIs(opened.taskId, isOver);

      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'run.out_of_memory' } });
      expect(summary(opened)).toMatch(/memory/i);
      expect(await launches(opened)).toBe(1);
    },
    caseMs,
  );

  it(
    'one that fills its disk is evicted, and its task says so',
    async () => {
      const opened = caseOf('fill disk');

      const { task } = await stage.taskIs(opened.taskId, isOver);

      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'run.out_of_disk' } });
      expect(summary(opened)).toMatch(/disk|storage|EmptyDir/i);
      expect(await launches(opened)).toBe(1);
    },
    caseMs,
  );

  it.each([
    ['exit 0, then work 0', 'run.incomplete'],
    ['exit 7, then work 0', 'run.crashed'],
  ] as const)(
    'one that ends without a result is tried once more (%s)',
    async (title, code) => {
      const opened = caseOf(title);

      await stage.taskIs(opened.taskId, isRetrying(code));
      const { task } = await stage.taskIs(opened.taskId, isOver);

      expect(task).toMatchObject({ state: 'done', attempt: 2, failures: 1 });
      expect(summary(opened)).toMatch(/no findings/i);
      expect(await launches(opened)).toBe(2);
    },
    caseMs,
  );

  it('leave nothing behind', () => stage.nothingLeft(), caseMs);
});

describe('an agent in a real pod', () => {
  afterEach(() => stage.nothingLeft(), caseMs);

  it(
    'row 38, reported 11: one that goes on beyond its deadline is ended',
    async () => {
      const opened = await open('sleep', 'hasty');
      await atWork(opened);
      const begunMs = performance.now();

      const { task } = await stage.taskIs(opened.taskId, isOver);
      const tookMs = performance.now() - begunMs;

      process.stderr.write(`a deadline of 10 s: over after ${(tookMs / 1000).toFixed(1)} s of work\n`);
      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'run.timed_out' } });
      expect(summary(opened)).toMatch(/in time/i);
      expect(await launches(opened)).toBe(1);
    },
    caseMs,
  );

  it(
    'reported 1: one whose pod somebody deletes is begun again',
    async () => {
      const opened = await open('sleep, then work 0');
      const pod = await atWork(opened);

      await stage.kubectl('--namespace', 'drydock-tasks', 'delete', 'pod', pod, '--wait=false');
      const deletedMs = performance.now();
      await stage.taskIs(opened.taskId, isRetrying('run.disrupted'));
      const noticedMs = performance.now() - deletedMs;
      const { task } = await stage.taskIs(opened.taskId, isOver);

      process.stderr.write(`a deleted pod: noticed after ${(noticedMs / 1000).toFixed(1)} s\n`);
      expect(noticedMs).toBeLessThan(30_000);
      expect(task).toMatchObject({ state: 'done', attempt: 2, failures: 0 });
      expect(await launches(opened)).toBe(2);
    },
    caseMs,
  );

  it(
    'row 44: one of an older head loses its token at once, and is gone in 35 s also if it obeys nobody',
    async () => {
      const opened = await open('ignore, then work 0');
      const pod = await atWork(opened);

      await gitlab.push(opened.project, 'work', { 'src/b.ts': 'export const b = 2;\n' }, { by: author });
      const pushedAtMs = Date.now();
      await stage.gitlab.deliveriesSettled();
      const acceptedAtMs = Date.now();
      const gone = stage.podGone(pod).then(() => Date.now());
      const { events, task } = await stage.taskIs(
        opened.taskId,
        (detail) => detail.task.attempt >= 2 && isOver(detail),
      );
      const goneMs = (await gone) - pushedAtMs;
      const refusedAtMs = Number(/token refused at (\d+)/.exec(stage.record.logOf(pod))?.[1]);

      const supersededAtMs = events.find(({ what }) => what === 'superseding')?.atMs ?? NaN;
      const tokenMs = refusedAtMs - supersededAtMs;
      process.stderr.write(
        `a new head: delivered after ${String(acceptedAtMs - pushedAtMs)} ms, token dead ${String(tokenMs)} ms after the event, ` +
          `pod gone after ${(goneMs / 1000).toFixed(1)} s\n`,
      );
      expect(task).toMatchObject({ state: 'done', failures: 0 });
      expect(goneMs).toBeLessThan(35_000);
      expect(Math.abs(tokenMs)).toBeLessThan(2_000);
      expect(summary(opened)).toMatch(/no findings/i);
      expect(await launches(opened)).toBe(2);
    },
    caseMs,
  );

  it(
    'rows 24, G8, reported 12: one whose scheduler is killed goes on, and another one adopts it within 20 s',
    async () => {
      const opened = await open('work 40');
      const pod = await atWork(opened);
      const { events } = await stage.taskIs(opened.taskId, () => true);
      const owner = events.findLast(({ what }) => what === 'leased')?.who ?? '';

      await killScheduler(owner);
      const killedMs = performance.now();
      await stage.taskIs(opened.taskId, ({ events: now }) => now.some(({ what }) => what === 'adopted'));
      const adoptedMs = performance.now() - killedMs;
      const { task } = await stage.taskIs(opened.taskId, isOver);

      process.stderr.write(`a killed scheduler: adopted after ${(adoptedMs / 1000).toFixed(1)} s\n`);
      expect(adoptedMs).toBeLessThan(20_000);
      expect(task).toMatchObject({ state: 'done', attempt: 1, failures: 0 });
      expect(stage.record.podsSeen(opened.taskId)).toEqual([pod]);
      expect(summary(opened)).toMatch(/no findings/i);
    },
    caseMs,
  );

  it(
    'row 34, reported 20: one whose image cannot be pulled ends its task, which says so and is not tried again',
    async () => {
      const deployment = ['--namespace', 'drydock', 'set', 'env', 'deployment/drydock-scheduler'];
      await stage.kubectl(...deployment, 'DRYDOCK_AGENT_IMAGE=localhost/drydock/agent:nowhere');
      await stage.rolledOut('drydock-scheduler');

      const opened = await open('work 0');
      const { task } = await stage.taskIs(opened.taskId, isOver);
      await stage.kubectl(...deployment, 'DRYDOCK_AGENT_IMAGE-');
      await stage.rolledOut('drydock-scheduler');

      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'kube.not_startable' } });
      expect(task.lastError?.message).toMatch(/image|pull/i);
      expect(summary(opened)).toMatch(/cannot be started/i);
      expect(await launches(opened)).toBe(1);
    },
    caseMs,
  );

  it(
    'rows 36, 37, reported 16: one whose node is taken away is fenced off, and begun again when there is a node',
    async () => {
      const opened = await open('ignore, then work 0');
      const pod = await atWork(opened);

      await stage.node.stopKubelet();
      try {
        // Kubernetes gives it up after a while; who waits for it takes it off the books, for its node says nothing.
        await stage.podIsTakenAway(pod);
        await stage.podGone(pod);
      } finally {
        stage.node.startKubelet();
      }
      const { task, events } = await stage.taskIs(opened.taskId, isOver, 300_000);

      expect(task).toMatchObject({ state: 'done', failures: 0 });
      // On its only node the gateway was away as well.
      const faults = events.filter(({ what }) => what === 'retrying').map(({ detail }) => detail);
      expect(faults.length).toBeGreaterThan(0);
      expect(
        faults.filter((code) => !['run.disrupted', 'gateway.unreachable', 'gateway.timeout'].includes(code)),
      ).toEqual([]);
      expect(task.attempt).toBeGreaterThan(1);
      expect(summary(opened)).toMatch(/no findings/i);
      expect(await launches(opened)).toBe(task.attempt);
    },
    caseMs * 2,
  );
});

/** SIGKILL, as the kernel would: the process of a container is one of this machine. */
async function killScheduler(owner: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (!environment.split('\0').includes(`DRYDOCK_SCHEDULER_OWNER=${owner}`)) continue;
    process.kill(Number(pid), 'SIGKILL');
    return;
  }
  throw new Error(`no process of the scheduler ${owner}`);
}
