import { afterEach, expect, it } from '@jest/globals';
import { longestStartSeconds, type RunRequest } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { OutlivingLauncher } from './testing/outliving-launcher.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';

const stage = new SchedulerStage(new ManualClock());
afterEach(() => stage.stop());

it.each([
  [700, 700],
  [1e9, longestStartSeconds],
])('tells the gateway of the %d s that a pod may take, within what it takes', async (startSeconds, told) => {
  const requests: RunRequest[] = [];
  stage.gateway.grant = (request) => {
    requests.push(request);
    return { kind: 'over-budget', why: 'x' };
  };
  stage.start({}, { launcher: Object.assign(new OutlivingLauncher(), { startSeconds }) });

  await stage.event({ subject: { forge: 'gitlab', projectId: '42', iid: told } });

  expect(requests).toMatchObject([{ credential: 'exchange', startSeconds: told }]);
});
