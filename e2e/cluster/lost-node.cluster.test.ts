import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClusterStage } from './cluster-stage.ts';
import { isOver, RogueStage } from './rogue-stage.ts';

const openMs = 900_000;
const caseMs = 480_000;

let rogues: RogueStage;
let stage: ClusterStage;

const settings = {
  DRYDOCK_POD_CPU: '300m',
  DRYDOCK_POD_MEMORY: '128Mi',
  DRYDOCK_POD_EPHEMERAL_STORAGE: '256Mi',
  DRYDOCK_POD_WORK_SIZE: '64Mi',
  DRYDOCK_POD_GRACE_SECONDS: 5,
  DRYDOCK_FENCE_SECONDS: 5,
};

beforeAll(async () => {
  rogues = await RogueStage.open({ name: 'lost-node', lostNodeSeconds: 16, scheduler: { replicas: 2, settings } });
  ({ stage } = rogues);
}, openMs);
afterAll(() => rogues[Symbol.asyncDispose](), 120_000);

/** A Job's name, which is that of its run; Kubernetes adds a word of five letters for the pod. */
const runOf = (pod: string): string => pod.slice(0, -6);

describe('an agent in a real pod', () => {
  it(
    'rows 36, 37, reported 16: one whose node is taken away is fenced off, and begun again when there is a node',
    async () => {
      const opened = await rogues.openMergeRequest('ignore, then work 0');
      const pod = await rogues.atWork(opened);

      await stage.node.stopKubelet();
      const lostMs = performance.now();
      try {
        // Kubernetes gives it up after a while; who waits for it takes it off the books, for its node says nothing.
        await stage.podIsTakenAway(pod);
        await stage.podGone(pod);
      } finally {
        stage.node.startKubelet();
      }
      const goneMs = performance.now() - lostMs;
      const { task, events } = await stage.taskIs(opened.taskId, isOver, 300_000);

      process.stderr.write(`a lost node: its pod is off the books after ${(goneMs / 1000).toFixed(1)} s\n`);
      expect(task).toMatchObject({ state: 'done', failures: 0 });
      // On its only node the gateway was away as well.
      const faults = events.filter(({ what }) => what === 'retrying').map(({ detail }) => detail);
      expect(faults.length).toBeGreaterThan(0);
      expect(
        faults.filter((code) => !['run.disrupted', 'gateway.unreachable', 'gateway.timeout'].includes(code)),
      ).toEqual([]);
      expect(task.attempt).toBeGreaterThan(1);
      expect(rogues.summary(opened)).toMatch(/no findings/i);
      const pods = stage.record.podsSeen(opened.taskId);
      expect(new Set(pods.map(runOf)).size).toBe(pods.length);
      // A launch that the gateway was asked about in vain has no pod.
      const unanswered = faults.filter((code) => code.startsWith('gateway.')).length;
      expect(events.filter(({ what }) => what === 'launched')).toHaveLength(task.attempt);
      expect(pods.length).toBeGreaterThanOrEqual(Math.max(2, task.attempt - unanswered));
      expect(pods.length).toBeLessThanOrEqual(task.attempt);
      await stage.nothingLeft();
    },
    caseMs,
  );
});
