/**
 * What becomes of runs, on a real API server with the real Job controller. There is no kubelet: what becomes of pods is
 * written into their status by hand.
 */
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@drydock/core';
import { jobs, pods } from '@drydock/kube';
import { eventually } from './testing/kube-stage.ts';
import { UsedSchedulers, callsOf, runId } from './testing/used-schedulers.ts';
import { sha, taskId } from './testing/world-gateway.ts';

const never = new AbortController().signal;

describe('schedulers of a cluster', () => {
  const used = new UsedSchedulers();

  it('review with two writes and one read, and leave nothing', async () => {
    const one = await used.start();
    const before = callsOf(one).length;
    await used.enqueue();

    await used.stage.begin(runId());
    used.gateway.submitReview(runId());
    await used.stage.end(runId());
    await used.inState('done');

    await used.noJobs();
    expect(callsOf(one).slice(before)).toEqual(['create jobs', 'get jobs', 'delete jobs']);
    expect(used.gateway.published).toEqual([sha('a')]);
  });

  it('row 25, reported 13: publish what was handed in, whatever became of the pod after it', async () => {
    await used.start();
    await used.enqueue();
    await used.stage.begin(runId());
    used.gateway.submitReview(runId());

    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
    await used.stage.say(runId(), 'Failed', { conditions });

    await used.inState('done');
    expect(used.gateway.published).toEqual([sha('a')]);
    expect((await used.task()).launch).toBe(1);
  });

  it('reported 14: take no exit code for a review', async () => {
    await used.start();
    await used.enqueue();

    await used.stage.end(runId());

    await eventually(async () => (await used.task()).lastError?.code === 'run.incomplete');
    expect(used.gateway.published).toEqual([]);
  });

  it('row 36: try again, uncounted, what was taken away; but not for ever', async () => {
    await used.start();
    await used.enqueue();

    for (let launch = 1; launch <= 4; launch += 1) {
      const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }];
      await used.stage.say(runId(launch), 'Failed', { conditions });
    }

    await used.inState('dead');
    expect(await used.task()).toMatchObject({ launch: 4, lastError: { code: 'run.disrupted_too_often' } });
    expect(used.gateway.states.at(-1)).toMatchObject({ kind: 'failed', willRetry: false });
  });

  it('row 35: end an agent that runs out of memory, visibly', async () => {
    await used.start();
    await used.enqueue();

    await used.stage.say(runId(), 'Failed', { agent: { kind: 'ended', exitCode: 137, reason: 'OOMKilled' } });

    await used.inState('dead');
    expect(used.gateway.states.at(-1)).toMatchObject({ kind: 'failed', why: expect.stringContaining('memory') });
  });

  it('launch nothing more where isolation is not enforced, until a person says so', async () => {
    const { registry } = await used.start();
    await used.enqueue();

    await used.stage.say(runId(), 'Failed', { preflight: { kind: 'ended', exitCode: 42 } });
    await used.inState('waiting');
    await used.enqueue({ iid: 8 });
    await systemClock.sleep(500, never);

    expect((await used.queue.pauses()).map(({ scope, by }) => [scope.kind, by])).toEqual([['all', 'scheduler']]);
    expect(await used.task('review:gitlab:42:8')).toMatchObject({ state: 'waiting', launch: 0 });
    expect(await used.task()).toMatchObject({ failures: 0 });
    expect(await registry.metrics()).toContain('drydock_alarms_total{what="isolation-unenforced"} 1');
  });

  it('supersede: the token is dead before the pod is, and before the next one begins', async () => {
    const one = await used.start();
    await used.enqueue();
    await used.stage.begin(runId());
    const before = callsOf(one).length;
    let callsAtRevocation: readonly string[] = ['it is not revoked'];
    used.gateway.interludes.set('revokeRun', async () => {
      callsAtRevocation = callsOf(one).slice(before);
    });
    used.gateway.headSha = sha('b');

    await used.enqueue({ headSha: sha('b') });
    await used.stage.begin(runId(2));

    expect(callsAtRevocation).toEqual([]);
    expect(used.gateway.revoked).toEqual([runId()]);
    expect((await used.stage.pods()).map(({ metadata }) => metadata.labels['drydock.dev/run'])).toEqual([runId(2)]);
  });

  it.each(['no pod yet', 'pending', 'running'])('reported 22: cancel a review with %s', async (when) => {
    await used.start();
    await used.enqueue();
    await eventually(async () => (await used.stage.jobs()).length === 1);
    if (when !== 'no pod yet') await used.stage.podOf(runId());
    if (when === 'running') await used.stage.begin(runId());

    await used.queue.cancel(taskId, 'ada');

    await used.inState('cancelled');
    await eventually(async () => (await used.stage.jobs()).length + (await used.stage.pods()).length === 0);
  });

  it('reported 7: end an agent that goes on after its result', async () => {
    await used.start();
    await used.enqueue();
    await used.stage.begin(runId());

    used.gateway.submitReview(runId());

    await eventually(async () => (await used.task()).state === 'done');
    expect(used.gateway.published).toEqual([sha('a')]);
    await eventually(async () => (await used.stage.pods()).length === 0);
  });

  it('reported 23 and 30: pay for nothing again when an event comes again, long after its Job is gone', async () => {
    const one = await used.start();
    await used.enqueue();
    used.gateway.submitReview(await used.recorded(runId()));
    await used.stage.end(runId());
    await used.inState('done');
    await used.noJobs();
    used.gateway.reviewed = null; // somebody has deleted the note as well
    const before = callsOf(one).length;

    await used.enqueue();

    await used.inState('skipped');
    expect(callsOf(one).slice(before)).toEqual([]);
  });

  it('go on when a Job cannot be deleted, whatever the reason', async () => {
    const { staged } = await used.start();
    staged.proxy.add(({ verb }) => verb === 'delete', { kind: 'answer', status: 403, message: 'no right to delete' });
    for (const iid of [7, 8]) {
      used.gateway.reviewed = null;
      const id = `review:gitlab:42:${String(iid)}`;
      await used.enqueue({ iid });
      used.gateway.submitReview(await used.recorded(runId(1, id)));
      await used.stage.end(runId(1, id));
      await used.inState('done', id);
    }

    await eventually(async () => staged.proxy.requests.filter(({ verb }) => verb === 'delete').length === 2);
    expect(await used.stage.jobs()).toHaveLength(2);
  });

  it('reported 1: try again when a pod or a Job is deleted by hand', async () => {
    await used.start();
    await used.enqueue();
    await used.stage.begin(runId());
    const { metadata } = await used.stage.podOf(runId());
    await used.stage.client.delete(
      pods,
      { namespace: used.stage.namespace, name: metadata.name },
      { uid: null, signal: never },
    );
    await used.stage.begin(runId(2));
    await used.stage.client.delete(
      jobs,
      { namespace: used.stage.namespace, name: `dd-${runId(2)}` },
      { uid: null, signal: never },
    );

    await used.stage.begin(runId(3));
    used.gateway.submitReview(runId(3));
    await used.stage.end(runId(3));

    await used.inState('done');
    expect(await used.task()).toMatchObject({ launch: 3, failures: 0 });
    expect(used.gateway.published).toEqual([sha('a')]);
  });
});
