import { expect, it } from '@jest/globals';
import { LogPage, Secret, TaskDetail, controlPaths, silentLog, systemClock } from '@drydock/core';
import { DemoConfig } from './demo-config.ts';
import { startDemoStage } from './demo-stage.ts';

const token = new Secret('viewer-token-of-the-test');
const searchPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';

it('tells a whole review by the control API, with its log from the gateway', async () => {
  await using stage = await startDemoStage(DemoConfig.parse({}), {
    clock: systemClock,
    log: silentLog,
    searchPath,
    controlTokens: [{ name: 'vera', role: 'viewer', token }],
  });
  const ask = async (path: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token.reveal()}` };
    const response = await fetch(`${stage.standalone.serverUrl}${path}`, { headers });
    const body: unknown = await response.json();
    if (response.status !== 200) throw new Error(JSON.stringify(body));
    return body;
  };

  const { taskId } = await stage.openMergeRequest();
  const deadlineMs = Date.now() + 90_000;
  for (let state = ''; state !== 'done' && Date.now() < deadlineMs;) {
    await systemClock.sleep(200, new AbortController().signal);
    state = (await stage.standalone.queue.get(taskId))?.state ?? '';
  }
  const detail = TaskDetail.parse(await ask(controlPaths.task(taskId)));
  const log = LogPage.parse(await ask(controlPaths.logs(taskId)));
  const rest = LogPage.parse(await ask(`${controlPaths.logs(taskId)}?after=${String(log.entries.at(-1)?.seq ?? 0)}`));

  expect(detail.task).toMatchObject({ state: 'done', attempt: 1 });
  expect(detail.attempts).toMatchObject([{ attempt: 1, ending: 'done' }]);
  expect(detail.events.map(({ what }) => what)).toEqual(['queued', 'leased', 'launched', 'publishing', 'done']);
  expect(log.isOver).toBe(true);
  expect(new Set(log.entries.map(({ event }) => event.kind))).toEqual(
    new Set(['stage-started', 'stage-ended', 'turn', 'tool', 'finding']),
  );
  expect(rest.entries).toEqual([]);
});
