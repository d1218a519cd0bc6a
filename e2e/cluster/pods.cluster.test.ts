import { readdir, readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClusterStage } from './cluster-stage.ts';
import { isOver, isRetrying, RogueStage, type Opened } from './rogue-stage.ts';

const openMs = 900_000;
const caseMs = 240_000;

let rogues: RogueStage;
let stage: ClusterStage;

/** Projects below `hasty/` give an agent 10 seconds. */
const hasty = {
  apiVersion: 'drydock.dev/v1alpha1',
  kind: 'ReviewPolicy',
  metadata: { name: 'hasty', namespace: 'drydock' },
  spec: { projects: ['hasty/*'], review: { budget: { deadlineSeconds: 10 } } },
};
const graceSeconds = 20;
const settings = {
  DRYDOCK_POD_GRACE_SECONDS: graceSeconds,
  DRYDOCK_POD_CPU: '300m',
  DRYDOCK_PULL_GRACE_SECONDS: 15,
  DRYDOCK_POD_MEMORY: '128Mi',
  DRYDOCK_POD_EPHEMERAL_STORAGE: '256Mi',
  DRYDOCK_POD_WORK_SIZE: '64Mi',
};

beforeAll(async () => {
  rogues = await RogueStage.open({ name: 'pods', scheduler: { replicas: 2, settings } });
  ({ stage } = rogues);
  await stage.apply(hasty);
}, openMs);
afterAll(() => rogues[Symbol.asyncDispose](), 120_000);

describe('agents in real pods, several at once', () => {
  const titles = ['eat memory', 'fill disk', 'exit 0, then work 0', 'exit 7, then work 0'] as const;
  const cases = new Map<string, Opened>();
  const caseOf = (title: (typeof titles)[number]): Opened => {
    const found = cases.get(title);
    if (found === undefined) throw new Error(`nobody opened ${title}`);
    return found;
  };
  beforeAll(async () => {
    for (const title of titles) cases.set(title, await rogues.openMergeRequest(title));
  }, caseMs);

  // These two while the kubelet looks for full disks, which it does once in a while.
  it(
    'row 38, reported 11: one that goes on beyond its deadline is ended',
    async () => {
      const opened = await rogues.openMergeRequest('sleep', 'hasty');
      await rogues.atWork(opened);
      const begunMs = performance.now();

      const { task } = await stage.taskIs(opened.taskId, isOver);
      const tookMs = performance.now() - begunMs;

      process.stderr.write(`a deadline of 10 s: over after ${(tookMs / 1000).toFixed(1)} s of work\n`);
      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'run.timed_out' } });
      // Its deadline, 5 s to notice it, the grace time of its pod; and 30 s of room, for processes of a loaded machine
      // may wait for so long to be run at all. Without a deadline it would sleep for as long as the test waits.
      expect(tookMs).toBeLessThan((10 + 5 + graceSeconds + 30) * 1000);
      expect(rogues.summary(opened)).toMatch(/in time/i);
      expect(await rogues.launches(opened)).toBe(1);
    },
    caseMs,
  );

  it(
    'reported 1: one whose pod somebody deletes is begun again',
    async () => {
      const opened = await rogues.openMergeRequest('sleep, then work 0');
      const pod = await rogues.atWork(opened);

      await stage.kubectl('--namespace', 'drydock-tasks', 'delete', 'pod', pod, '--wait=false');
      const deletedMs = performance.now();
      await stage.taskIs(opened.taskId, isRetrying('run.disrupted'));
      const noticedMs = performance.now() - deletedMs;
      const { task } = await stage.taskIs(opened.taskId, isOver);

      process.stderr.write(`a deleted pod: noticed after ${(noticedMs / 1000).toFixed(1)} s\n`);
      expect(noticedMs).toBeLessThan(30_000);
      expect(task).toMatchObject({ state: 'done', attempt: 2, failures: 0 });
      expect(await rogues.launches(opened)).toBe(2);
    },
    caseMs,
  );

  it(
    'row 35, reported 2: one that eats more memory than it may is ended by the kernel, and its task says so',
    async () => {
      const opened = caseOf('eat memory');

      const { task } = await stage.taskIs(opened.taskId, isOver);

      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'run.out_of_memory' } });
      expect(rogues.summary(opened)).toMatch(/memory/i);
      expect(await rogues.launches(opened)).toBe(1);
    },
    caseMs,
  );

  it(
    'one that fills its disk is evicted, and its task says so',
    async () => {
      const opened = caseOf('fill disk');

      const { task } = await stage.taskIs(opened.taskId, isOver);

      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'run.out_of_disk' } });
      expect(rogues.summary(opened)).toMatch(/disk|storage|EmptyDir/i);
      expect(await rogues.launches(opened)).toBe(1);
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
      expect(rogues.summary(opened)).toMatch(/no findings/i);
      expect(await rogues.launches(opened)).toBe(2);
    },
    caseMs,
  );

  it('leave nothing behind', () => stage.nothingLeft(), caseMs);
});

describe('an agent in a real pod', () => {
  afterEach(() => stage.nothingLeft(), caseMs);

  it(
    'row 44: one of an older head loses its token at once, and is gone in 35 s also if it obeys nobody',
    async () => {
      const opened = await rogues.openMergeRequest('ignore, then work 0');
      const pod = await rogues.atWork(opened);

      await stage.gitlab.push(opened.project, 'work', { 'src/b.ts': 'export const b = 2;\n' }, { by: rogues.author });
      const pushedAtMs = Date.now();
      await stage.gitlab.deliveriesSettled();
      const acceptedAtMs = Date.now();
      const gone = stage.podGone(pod).then(() => Date.now());
      const { events, task } = await stage.taskIs(
        opened.taskId,
        (detail) => detail.task.attempt >= 2 && isOver(detail),
      );
      const goneMs = (await gone) - pushedAtMs;
      const said = stage.record.logOf(pod);
      const [, refusedAt = '', takenAt = ''] = /token refused at (\d+), taken at ([\d ]*)\./.exec(said) ?? [];

      // All by the clock of this machine: the store's, the agent's and our own.
      const supersededAtMs = events.find(({ what }) => what === 'superseding')?.atMs ?? NaN;
      const tokenMs = Number(refusedAt) - supersededAtMs;
      const takenAfter = takenAt.split(' ').filter((sentAt) => Number(sentAt) > supersededAtMs);
      process.stderr.write(
        `a new head: delivered after ${String(acceptedAtMs - pushedAtMs)} ms, token refused ${String(tokenMs)} ms after the event, ` +
          `${String(takenAfter.length)} calls after it taken, pod gone after ${(goneMs / 1000).toFixed(1)} s\n`,
      );
      expect(task).toMatchObject({ state: 'done', failures: 0 });
      expect(goneMs).toBeLessThan(35_000);
      expect(tokenMs).toBeGreaterThanOrEqual(0);
      // A call each 10 ms: those of 200 ms. Of a slow machine there are no more, for it slows agents as it slows us.
      expect(takenAfter.length).toBeLessThanOrEqual(20);
      expect(said).not.toContain('taken again');
      expect(rogues.summary(opened)).toMatch(/no findings/i);
      expect(await rogues.launches(opened)).toBe(2);
    },
    caseMs,
  );

  it(
    'rows 24, G8, reported 12: one whose scheduler is killed goes on, and another one adopts it within 20 s',
    async () => {
      const opened = await rogues.openMergeRequest('work 40');
      const pod = await rogues.atWork(opened);
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
      expect(rogues.summary(opened)).toMatch(/no findings/i);
    },
    caseMs,
  );

  it(
    'row 34, reported 20: one whose image cannot be pulled ends its task, which says so and is not tried again',
    async () => {
      const deployment = ['--namespace', 'drydock', 'set', 'env', 'deployment/drydock-scheduler'];
      await stage.kubectl(...deployment, 'DRYDOCK_AGENT_IMAGE=localhost/drydock/agent:nowhere');
      await stage.rolledOut('drydock-scheduler');

      const opened = await rogues.openMergeRequest('work 0');
      const { task } = await stage.taskIs(opened.taskId, isOver);
      await stage.kubectl(...deployment, 'DRYDOCK_AGENT_IMAGE-');
      await stage.rolledOut('drydock-scheduler');

      expect(task).toMatchObject({ state: 'dead', attempt: 1, lastError: { code: 'kube.not_startable' } });
      expect(task.lastError?.message).toMatch(/image|pull/i);
      expect(rogues.summary(opened)).toMatch(/cannot be started/i);
      expect(await rogues.launches(opened)).toBe(1);
    },
    caseMs,
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
