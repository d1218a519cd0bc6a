import { afterEach, describe, expect, it } from '@jest/globals';
import { readConfig } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { ShareConfig } from './share-config.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';

const read = (environment: Record<string, string>) => readConfig(ShareConfig, environment);

describe('shares of projects', () => {
  let stage = new SchedulerStage(new ManualClock());
  afterEach(() => stage.stop());

  const event = (projectId: string, iid: number) => stage.event({ subject: { forge: 'gitlab', projectId, iid } });
  const running = async () => {
    const { tasks } = await stage.queue.list({ states: ['running'], limit: 10 });
    return tasks.map(({ subject }) => `${subject.projectId}!${String(subject.iid)}`).sort();
  };

  it('keep a project within its limit while others run', async () => {
    stage = new SchedulerStage(new ManualClock());
    stage.start({ maxRunning: 3, maxRunningPerProject: 1 });

    await event('42', 1);
    await event('42', 2);
    await event('43', 1);

    expect(await running()).toEqual(['42!1', '43!1']);
  });

  it('are those of the settings, and come back to a store that lost them', async () => {
    stage = new SchedulerStage(new ManualClock());
    const projectShares = read({
      DRYDOCK_PROJECT_SHARES: '{"gitlab:42": {"weight": 3, "maxRunning": 1}}',
    }).projectShares;
    stage.start({ maxRunning: 3, projectShares });
    await stage.queue.setShares(new Map()); // as a store that came back empty
    await stage.clock.advance(61_000);

    await event('42', 1);
    await event('42', 2);

    expect(await running()).toEqual(['42!1']);
    expect((await stage.queue.projects({ limit: 10 })).projects).toMatchObject([{ weight: 3, maxRunning: 1 }]);
  });

  it('stay what they are in the queue when the settings say nothing of them', async () => {
    stage = new SchedulerStage(new ManualClock());
    await stage.queue.setShares(new Map([['gitlab:42', { weight: 7, maxRunning: null }]]));
    stage.start({ projectShares: read({}).projectShares });
    await stage.clock.advance(61_000);

    expect((await stage.queue.projects({ limit: 10 })).projects).toMatchObject([{ weight: 7 }]);
  });

  it.each([
    ['no JSON', 'weight 3', 'no JSON'],
    ['a project by its path', '{"shop/api": {"weight": 3}}', 'DRYDOCK_PROJECT_SHARES'],
    ['a weight of nothing', '{"gitlab:42": {"weight": 0}}', 'DRYDOCK_PROJECT_SHARES'],
    ['an unknown key', '{"gitlab:42": {"wieght": 1}}', 'DRYDOCK_PROJECT_SHARES'],
  ])('are refused with their name: %s', (_, text, says) => {
    expect(() => read({ DRYDOCK_PROJECT_SHARES: text })).toThrow(says);
  });
});
