import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, silentLog, type RunRequest } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { defaultPolicy } from './policies/default-policy.ts';
import { ObjectPolicySource } from './policies/object-policy-source.ts';
import { HandPolicies, aPolicy } from './testing/hand-policies.ts';
import { exitedWell } from './testing/hand-launcher.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { sha, subject } from './testing/world-gateway.ts';

describe('policies by object', () => {
  let stage: SchedulerStage;
  let objects: HandPolicies;
  beforeEach(() => {
    stage = new SchedulerStage(new ManualClock());
    objects = new HandPolicies();
    const fallback = defaultPolicy(ReviewPolicy.parse({}));
    const policies = new ObjectPolicySource(objects, fallback, silentLog);
    stage.start({ maxRunning: 5 }, { policies });
  });
  afterEach(() => stage.stop());

  const eventOf = (projectId: string, iid: number, projectPath = 'shop/orders') =>
    stage.event({ subject: { forge: 'gitlab', projectId, iid }, projectPath });

  it('changes what is decided next, without a restart', async () => {
    objects.set(aPolicy('shop', { projects: ['shop/*'], review: { enabled: false } }));
    await stage.event();
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'switched-off' } });

    objects.set(aPolicy('shop', { projects: ['shop/*'] }, 2));
    await stage.event({ headSha: sha('a') });

    expect(await stage.task()).toMatchObject({ state: 'running' });
    expect(stage.logged).toContainEqual({
      message: 'decided',
      facts: expect.objectContaining({ policy: 'shop', generation: 2, reason: 'first-review' }),
    });
  });

  it('tells the gateway by which policy a run is made, and the launcher in what pod', async () => {
    const requests: RunRequest[] = [];
    const { startRun } = stage.gateway;
    stage.gateway.startRun = (request, signal) => {
      requests.push(request);
      return startRun.call(stage.gateway, request, signal);
    };
    const pod = { resources: { cpu: 2 }, runtimeClassName: 'gvisor' };
    objects.set(aPolicy('shop', { projects: ['shop/*'], review: { model: 'm', maxComments: 3 }, pod }));

    await stage.event();

    expect(requests.map(({ policy }) => policy)).toEqual([
      { name: 'shop', review: ReviewPolicy.parse({ model: 'm', maxComments: 3 }) },
    ]);
    expect(stage.launcher.agents[0]?.launch.pod).toMatchObject({ cpu: '2', memory: '1Gi', runtimeClassName: 'gvisor' });
  });

  it('leaves runs without an object to the policy of the gateway', async () => {
    const requests: RunRequest[] = [];
    stage.gateway.grant = (request) => {
      requests.push(request);
      return { kind: 'over-budget', why: 'x' };
    };

    await stage.event();

    expect(requests[0]).not.toHaveProperty('policy');
  });

  it('holds a task back whose policy is invalid, says so, and goes on when it is mended', async () => {
    objects.set(aPolicy('all', { projects: ['*'] }));
    objects.set(aPolicy('shop', { projects: ['shop/*'], review: { maxComments: 'few' } }));
    await stage.event();

    expect(stage.launcher.agents).toEqual([]);
    expect(await stage.task()).toMatchObject({ state: 'waiting' });
    expect((await stage.queue.events((await stage.task()).taskId)).at(-1)).toMatchObject({ detail: 'policy.invalid' });

    objects.set(aPolicy('shop', { projects: ['shop/*'] }, 2));
    await stage.clock.advance(61_000);
    expect(await stage.task()).toMatchObject({ state: 'running' });
  });

  it('ends a task of a closed merge request all the same', async () => {
    objects.set(aPolicy('shop', { projects: ['shop/*'], review: { maxComments: 'few' } }));
    stage.gateway.changes = { state: 'closed' };

    await stage.event();

    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'closed' } });
  });

  it('keeps all projects of a policy within its limit, beside others', async () => {
    objects.set(aPolicy('shop', { projects: ['shop/*'], concurrency: { maxRunning: 2 } }));
    for (const [project, path] of Object.entries({ 41: 'shop/a', 42: 'shop/b', 43: 'shop/c', 44: 'docs/a' })) {
      await eventOf(project, 1, path);
    }

    const { tasks } = await stage.queue.list({ states: ['running'], limit: 10 });
    expect(tasks.map((task) => task.projectPath).sort()).toEqual(['docs/a', 'shop/a', 'shop/b']);

    stage.launcher.agents[0]?.end(exitedWell);
    await stage.clock.advance(0);
    await stage.clock.advance(21_000);
    expect(stage.launcher.mostAtOnce).toBe(3);
    expect(stage.launcher.agents.length).toBeGreaterThan(3);
  });

  it('gives projects the shares of their policies, those of the settings first', async () => {
    objects.set(aPolicy('shop', { projects: ['shop/*'], concurrency: { weight: 3, maxRunningPerProject: 1 } }));
    await eventOf('42', 1, 'shop/a');
    await eventOf('42', 2, 'shop/a');
    await stage.clock.advance(61_000);
    await eventOf('42', 3, 'shop/a');

    expect((await stage.queue.projects({ limit: 10 })).projects).toMatchObject([
      { projectId: '42', weight: 3, maxRunning: 1 },
    ]);
    expect(stage.launcher.agents).toHaveLength(2); // the first two came before the project was known
  });

  it('decides by the project as the forge names it, whatever a sender said', async () => {
    objects.set(aPolicy('shop', { projects: ['shop/*'], review: { enabled: false } }));

    await stage.event({ subject, projectPath: 'free/for-all' });

    expect(await stage.task()).toMatchObject({ outcome: { why: 'switched-off' } });
  });
});
