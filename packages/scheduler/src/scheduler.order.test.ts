import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskRequest } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { sha, type WorldGateway } from './testing/world-gateway.ts';

const startMs = Date.UTC(2026, 0, 1);

/** The life of a merge request whose head is `c` in the end, as its forge tells it, in the order in which it happened. */
const life: readonly Partial<TaskRequest>[] = [
  { trigger: 'opened', headSha: sha('a') },
  { trigger: 'pushed', headSha: sha('b') },
  { trigger: 'labeled', headSha: sha('b') },
  { trigger: 'closed', headSha: sha('b') },
  { trigger: 'reopened', headSha: sha('b') },
  { trigger: 'pushed', headSha: sha('c') },
].map((event, index) => ({ ...event, occurredAtMs: startMs + index * 1000 }) as Partial<TaskRequest>);

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) =>
    permutations([...items.slice(0, at), ...items.slice(at + 1)]).map((rest) => [item, ...rest]),
  );
}

describe('events of one merge request', () => {
  let stage: SchedulerStage;
  let gateway: WorldGateway;

  function begin(): void {
    stage = new SchedulerStage(new ManualClock());
    gateway = stage.gateway;
    stage.start();
  }

  /** Lets everything come to its end. */
  async function settle(): Promise<void> {
    for (let round = 0; round < 5; round += 1) {
      await stage.clock.advance(1000);
      if (stage.launcher.running > 0) await stage.finishReview();
    }
  }

  beforeEach(begin);
  afterEach(() => stage.stop());

  it.each([
    ['all at once', 0],
    ['each while a review may run', 1],
  ])('row 42, reported 38: come to one review of the newest head in each of 720 orders, %s', async (_name, gapMs) => {
    for (const events of permutations(life)) {
      begin();
      gateway.headSha = sha('c');
      for (const event of events) {
        await (gapMs === 0 ? enqueueOnly(event) : stage.event(event));
      }
      await settle();

      const { state, isDirty } = await stage.task();
      expect({ published: gateway.published, running: stage.launcher.running, isDirty }).toEqual({
        published: [sha('c')],
        running: 0,
        isDirty: false,
      });
      expect(['done', 'skipped']).toContain(state);
      await stage.stop();
    }
  });

  async function enqueueOnly(event: Partial<TaskRequest>): Promise<void> {
    await stage.queue.enqueue(
      {
        v: 1,
        kind: 'review',
        subject: { forge: 'gitlab', projectId: '42', iid: 7 },
        projectPath: 'shop/orders',
        trigger: 'pushed',
        headSha: null,
        occurredAtMs: null,
        command: null,
        ...event,
      },
      { deliveryKeys: [], debounceMs: 100, maxDebounceMs: 500 },
    );
  }

  it('row 41: that come a hundred times are one review', async () => {
    for (let copy = 0; copy < 100; copy += 1) await stage.event({ trigger: 'opened' });
    await settle();

    expect(gateway.published).toEqual([sha('a')]);
    expect(stage.launcher.agents).toHaveLength(1);
  });

  it('row 45, G6: that come five thousand at a time are one waiting and one running task, and two runs at the most', async () => {
    await stage.event();
    for (let event = 0; event < 5000; event += 1) await enqueueOnly({ trigger: 'labeled', headSha: sha('a') });
    expect(await stage.queue.stats()).toMatchObject({ waiting: 0, running: 1 });
    expect(await stage.task()).toMatchObject({ isDirty: true });

    await settle();

    expect(stage.launcher.agents.length).toBeLessThanOrEqual(2);
    expect(gateway.published).toEqual([sha('a')]);
  });

  it.each(['merged', 'closed', 'locked'] as const)(
    'row 43: that come a day after it was %s are skipped, with the reason',
    async (state) => {
      gateway.changes = { state };

      await stage.event({ trigger: 'pushed', occurredAtMs: startMs - 86_400_000 });

      expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'closed' } });
      expect(gateway.states).toEqual([]);
    },
  );
});
