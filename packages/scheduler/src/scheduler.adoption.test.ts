import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { SchedulerStage, leaseTtlMs } from './testing/scheduler-stage.ts';

const limits = { total: 1, perForge: null, perProject: null };

describe('a task whose schedulers vanish', () => {
  let stage: SchedulerStage;

  beforeEach(async () => {
    stage = new SchedulerStage(new ManualClock());
    await stage.event();
  });
  afterEach(() => stage.stop());

  async function vanishing(times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      if ((await stage.queue.lease({ owner: 'gone', ttlMs: leaseTtlMs, limits })) === null) throw new Error('no task');
      await stage.clock.advance(leaseTtlMs);
    }
  }

  it('is gone on with by the next', async () => {
    await vanishing(5);

    stage.start();
    await stage.clock.advance(0);

    expect(stage.launcher.running).toBe(1);
  });

  it('ends at last, which the merge request is told, and nothing is begun for it', async () => {
    await vanishing(6);

    stage.start();
    await stage.clock.advance(0);

    expect(stage.launcher.agents).toEqual([]);
    expect(stage.gateway.states).toMatchObject([{ kind: 'failed', willRetry: false }]);
    expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'run.adopted_too_often' } });
  });
});
