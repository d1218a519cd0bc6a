/** Tasks whose pods admission refuses, on a real API server with the real Job controller. */
import { describe, expect, it } from '@jest/globals';
import { PodSettings } from './launchers/pod-settings.ts';
import { limitRanges } from './testing/kube-stage.ts';
import { UsedSchedulers } from './testing/used-schedulers.ts';

const neverCut = () => false;

describe('a task whose pod is refused', () => {
  const used = new UsedSchedulers();

  it('row 34: is given up and says why, for its RuntimeClass is misspelt', async () => {
    await used.start({}, neverCut, { pullGraceMs: 2000, pod: PodSettings.parse({ runtimeClassName: 'gvisro' }) });

    await used.enqueue();

    await used.inState('dead');
    const why = expect.stringContaining('RuntimeClass "gvisro" not found');
    expect(await used.task()).toMatchObject({ launch: 1, lastError: { code: 'kube.not_startable', message: why } });
    expect(used.gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false, why });
    await used.noJobs();
  });

  it('row 34: is given up and says why, for a LimitRange gives its agent too little', async () => {
    await using _limit = await used.stage.limitPods(limitRanges, {
      limits: [{ type: 'Container', max: { memory: '8Mi' } }],
    });
    await used.start({}, neverCut, { pullGraceMs: 2000 });

    await used.enqueue();

    await used.inState('dead');
    const why = expect.stringContaining('maximum memory usage per Container is 8Mi');
    expect((await used.task()).lastError).toMatchObject({ code: 'kube.not_startable', message: why });
    await used.noJobs();
  });
});
