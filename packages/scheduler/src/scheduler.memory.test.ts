import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import type { AgentExit } from './launchers/launcher.ts';
import { PodSettings } from './launchers/pod-settings.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';

const outOfMemory: AgentExit = { kind: 'failed', class: 'oom', reason: 'OOMKilled', message: '' };

describe('a task whose agent ran out of memory', () => {
  let stage: SchedulerStage;
  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
  });
  afterEach(() => stage.stop());

  async function endsBy(memory: string, memoryAfterOom: string | null): Promise<(string | undefined)[]> {
    stage.start({}, { pod: PodSettings.parse({ memory, memoryAfterOom }) });
    await stage.event();
    await stage.endAgent(outOfMemory);
    await stage.clock.advance(600_000);
    return stage.launcher.agents.map(({ launch }) => launch.pod?.memory);
  }

  it('is tried once more with more', async () => {
    expect(await endsBy('1Gi', '2Gi')).toEqual(['1Gi', '2Gi']);
  });

  it.each([
    ['3Gi', '2Gi'],
    ['2Gi', '2Gi'],
    ['1Gi', null],
  ])('of %s ends where one more attempt would have %s', async (memory, memoryAfterOom) => {
    expect(await endsBy(memory, memoryAfterOom)).toEqual([memory]);
    expect(await stage.task()).toMatchObject({ state: 'dead', lastError: { code: 'run.out_of_memory' } });
  });
});
