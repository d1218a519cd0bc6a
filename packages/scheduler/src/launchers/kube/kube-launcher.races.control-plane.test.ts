/**
 * An end and the wish for one at the same time, in all pairs; on a real API server with the real Job controller. The
 * status of pods is written by hand, for there is no kubelet.
 */
import { describe, expect, it } from '@jest/globals';
import { jobs, pods } from '@drydock/kube';
import { eventually } from '../../testing/kube-stage.ts';
import { UsedLauncher } from '../../testing/used-launcher.ts';
import { LeaveAgent } from '../launcher.ts';
import { jobName } from './job-labels.ts';

const never = new AbortController().signal;
const forever = () => Infinity;

describe('an agent that ends just when it is stopped', () => {
  const kube = new UsedLauncher();

  const deletes = { uid: null, signal: never };
  const ends: Readonly<Record<string, () => Promise<unknown>>> = {
    'its success': () => kube.stage.end(kube.launch.runId),
    'its failure': () => kube.stage.end(kube.launch.runId, 1),
    'the loss of its pod': async () => {
      const { metadata } = await kube.stage.podOf(kube.launch.runId);
      return kube.stage.client.delete(pods, { namespace: kube.stage.namespace, name: metadata.name }, deletes);
    },
    'the loss of its Job': () =>
      kube.stage.client.delete(jobs, { namespace: kube.stage.namespace, name: jobName(kube.launch.runId) }, deletes),
  };
  const orders = {
    before: async (end: () => Promise<unknown>, stop: () => void) => {
      await end();
      stop();
    },
    with: async (end: () => Promise<unknown>, stop: () => void) => {
      const ending = end();
      stop();
      await ending;
    },
    after: async (end: () => Promise<unknown>, stop: () => void) => {
      stop();
      await end().catch(() => undefined); // there may be nothing left of it
    },
  };
  const pairs = Object.entries(ends).flatMap(([what, end]) =>
    Object.entries(orders).map(([when, inOrder]) => ({ what, end, when, inOrder })),
  );

  it.each(pairs)('reported 26: leaves nothing behind when $what comes $when the stop', async ({ end, inOrder }) => {
    const stop = new AbortController();
    const running = kube.staged.launcher.run(kube.launch, stop.signal);
    await kube.stage.begin(kube.launch.runId);

    await inOrder(end, () => stop.abort());
    const { kind } = await running;
    await kube.staged.launcher.forget(kube.launch.runId, forever);

    expect(['aborted', 'exited', 'failed']).toContain(kind);
    await eventually(async () => (await kube.ours()).length + (await kube.podsOfRun()).length === 0);
  });

  it.each(pairs.filter(({ what }) => what !== 'the loss of its Job'))(
    'reported 26: is told to whoever takes it over when $what comes $when it is left',
    async ({ what, end, inOrder }) => {
      const stop = new AbortController();
      const running = kube.staged.launcher.run(kube.launch, stop.signal);
      await kube.stage.begin(kube.launch.runId);

      await inOrder(end, () => stop.abort(new LeaveAgent()));
      const first = await running;
      const second = await kube.staged.launcher.adopt(kube.launch.runId, never, forever);

      const told = { 'its success': 0, 'its failure': 1 }[what];
      const expected = told === undefined ? { kind: 'failed', class: 'infra' } : { kind: 'exited', code: told };
      if (first.kind !== 'left') expect(first).toMatchObject(expected);
      // A Job whose pod is lost may have been ended by who saw it.
      if (first.kind === 'left' || told !== undefined) expect(second).toMatchObject(expected);
    },
  );
});
