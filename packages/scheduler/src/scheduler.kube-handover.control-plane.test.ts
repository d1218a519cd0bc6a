/**
 * Tasks that go from one scheduler to the next, on a real API server with the real Job controller. There is no kubelet:
 * what becomes of pods is written into their status by hand.
 */
import { describe, expect, it } from '@jest/globals';
import { taskIdOf, type RunRequest } from '@drydock/core';
import { eventually } from './testing/kube-stage.ts';
import { UsedSchedulers, callsOf, runId } from './testing/used-schedulers.ts';
import { sha, subject, taskId } from './testing/world-gateway.ts';

const never = new AbortController().signal;

describe('schedulers of a cluster', () => {
  const used = new UsedSchedulers();

  it('hand over what runs when they stop, and another goes on at once', async () => {
    const leaseTtlMs = 600_000; // nobody gets it because it is over
    const one = await used.start({ leaseTtlMs });
    await used.enqueue();
    await used.stage.begin(runId());
    const two = await used.start({ owner: 'two', leaseTtlMs });
    const before = callsOf(two).length;

    await one.scheduler.stop();
    await eventually(async () => (await used.task()).lease === 2);
    used.gateway.submitReview(runId());
    await used.stage.end(runId());
    await used.inState('done');

    expect(used.gateway.revoked).toEqual([runId()]);
    expect((await used.task()).launch).toBe(1);
    await used.noJobs();
    expect(callsOf(two).slice(before)).toEqual(['get jobs', 'delete jobs']);
  });

  it('rows 22 and 24: take over what another one lost, with its agent', async () => {
    let isCut = false;
    const one = await used.start({}, () => isCut);
    await used.enqueue();
    await used.stage.begin(runId());
    const before = callsOf(one).length;
    isCut = true;
    const two = await used.start({ owner: 'two' });
    await eventually(async () => (await used.task()).lease === 2);

    used.gateway.submitReview(runId());
    await used.stage.end(runId());

    await used.inState('done');
    expect(await used.task()).toMatchObject({ launch: 1, failures: 0 });
    expect(callsOf(one).slice(before)).toEqual([]);
    expect(used.gateway.published).toEqual([sha('a')]);
    expect(await two.registry.metrics()).toContain('drydock_adopted_total 1');
  });

  it('row 23: begin another launch where the one recorded has no Job', async () => {
    await used.enqueue();
    const lost = await used.queue.lease({
      owner: 'x',
      ttlMs: 1,
      limits: { total: 1, perForge: null, perProject: null },
    });
    if (lost === null) throw new Error('no lease');
    await used.queue.beginLaunch(lost, sha('a'));
    await used.gateway.startRun(aRequest(1), never);
    await used.start();

    await used.stage.begin(runId(2));
    used.gateway.submitReview(runId(2));
    await used.stage.end(runId(2));

    await used.inState('done');
    expect((await used.stage.jobs()).map(({ metadata }) => metadata.name)).not.toContain(`dd-${runId(1)}`);
    expect(await used.task()).toMatchObject({ launch: 2, failures: 0 });
  });

  it('end a run whose head moved while nobody had it, before they begin the next', async () => {
    const one = await used.start();
    await used.enqueue();
    await used.stage.begin(runId());
    await one.scheduler.stop();
    used.gateway.headSha = sha('b');

    await used.start();
    await used.stage.begin(runId(2));

    expect(used.gateway.revoked).toContain(runId(1));
    await eventually(async () => (await used.stage.jobs()).every(({ metadata }) => metadata.name !== `dd-${runId(1)}`));
    used.gateway.submitReview(runId(2));
    await used.stage.end(runId(2));
    await used.inState('done');
    expect(used.gateway.published).toEqual([sha('b')]);
  });

  it('row 28: keep a task uncounted while no API server answers, and go on when it does', async () => {
    const { staged } = await used.start();
    await staged.proxy.down();
    await used.enqueue();
    await eventually(async () => (await used.task()).lastError?.code.startsWith('kube.') === true);
    expect(await used.task()).toMatchObject({ failures: 0 });
    await staged.proxy.up();

    const { launch } = await eventually(async () => {
      const now = await used.task();
      return (await used.stage.jobs()).length > 0 && now;
    });
    used.gateway.submitReview(runId(launch));
    await used.stage.end(runId(launch));

    await used.inState('done');
  });

  it('reported 36: are replaced one after another under load, by others with other settings; nothing runs twice', async () => {
    const leaseTtlMs = 600_000; // nobody gets a task because its lease is over
    const iids = Array.from({ length: 20 }, (_, index) => index + 1);
    const idOf = (iid: number) => taskIdOf('review', { ...subject, iid });
    used.gateway.changes = { reviewed: null };
    const old = [];
    for (const owner of ['old-1', 'old-2']) old.push(await used.start({ owner, leaseTtlMs, maxRunning: 20 }));
    for (const iid of iids) await used.enqueue({ iid });
    await eventually(async () => (await used.stage.jobs()).length === 20);

    for (const [index, { scheduler }] of old.entries()) {
      const changes = { owner: `new-${String(index)}`, leaseTtlMs, maxRunning: 20 };
      await used.start(changes, () => false, { agentImage: 'drydock/agent:0.2.0', graceSeconds: 2 });
      await scheduler.stop();
    }
    await eventually(async () => {
      const held = (await used.queue.list({ limit: 50 })).tasks.filter(({ state }) => state === 'running');
      return held.length === 20 && held.every(({ lease }) => lease >= 2);
    });
    for (const iid of iids) {
      used.gateway.submitReview(runId(1, idOf(iid)));
      await used.stage.end(runId(1, idOf(iid)));
    }
    await eventually(async () => (await used.queue.stats()).running === 0);

    const { tasks } = await used.queue.list({ limit: 50 });
    expect(new Set(tasks.map(({ state, launch, failures }) => `${state} ${launch} ${failures}`))).toEqual(
      new Set(['done 1 0']),
    );
    expect(used.gateway.published).toHaveLength(20);
    expect(used.gateway.runs.size).toBe(20);
    await used.noJobs();
  }, 180_000);
});

function aRequest(launch: number): RunRequest {
  return {
    v: 1,
    taskId,
    launch,
    subject,
    diffRefs: { baseSha: sha('c'), startSha: sha('c'), headSha: sha('a') },
    trigger: 'pushed',
    credential: 'exchange',
  };
}
