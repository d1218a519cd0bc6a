/** Policies as objects of a real API server, under a scheduler that runs. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, silentLog, systemClock } from '@drydock/core';
import { defineResource, events, ObjectMetadata, type Manifest } from '@drydock/kube';
import { PolicyStatus } from '@drydock/policy';
import { ManualClock } from '@drydock/testkit';
import { z } from 'zod';
import { SchedulerStage } from '../testing/scheduler-stage.ts';
import { until, usePolicyServer, type PolicyServer } from '../testing/use-policy-server.ts';
import { sha } from '../testing/world-gateway.ts';
import { defaultPolicy } from './default-policy.ts';
import { startPolicies, type RunningPolicies } from './start-policies.ts';

interface PolicyManifest extends Manifest {
  readonly spec: object;
}
const policies = defineResource<
  { readonly metadata: ObjectMetadata; readonly status?: PolicyStatus | undefined },
  PolicyManifest
>({
  group: 'drydock.dev',
  version: 'v1alpha1',
  plural: 'reviewpolicies',
  kind: 'ReviewPolicy',
  isNamespaced: true,
  schema: z.object({ metadata: ObjectMetadata, status: PolicyStatus.optional() }),
});

let server: PolicyServer;
beforeAll(async () => {
  server = await usePolicyServer();
}, 180_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe('policies of an API server', () => {
  let stage: SchedulerStage;
  let ending: AbortController;
  let running: RunningPolicies;
  let isLeader = true;
  beforeEach(async () => {
    stage = new SchedulerStage(new ManualClock());
    ending = new AbortController();
    isLeader = true;
    running = startPolicies({
      ...server,
      fallback: defaultPolicy(ReviewPolicy.parse({})),
      queue: stage.queue,
      isLeader: () => isLeader,
      clock: systemClock,
      log: silentLog,
      signal: ending.signal,
    });
    await running.ready;
    stage.start({ maxRunning: 3 }, { policies: running.source });
  });
  afterEach(async () => {
    await stage.stop();
    for (const { metadata } of (await server.client.list(policies, { namespace: server.namespace }, call())).items) {
      await server.client.delete(policies, place(metadata.name), { ...call(), uid: null });
    }
    ending.abort();
    await running.ended;
  });

  const call = () => ({ signal: AbortSignal.timeout(120_000) });
  const place = (name: string) => ({ namespace: server.namespace, name });
  const put = async (name: string, spec: object) => {
    const metadata = place(name);
    const { kind } = await server.client.create(policies, { metadata, spec }, call());
    if (kind === 'found') await server.client.patch(policies, metadata, { spec }, call());
  };
  const read = async (name: string) => server.client.read(policies, place(name), call());
  const condition = async (name: string, type: string) =>
    (await read(name))?.status?.conditions?.find((one) => one.type === type);
  const reviewsOf = () => running.source.policyFor({ forge: 'gitlab', projectId: '42', projectPath: 'shop/orders' });

  it('says of a policy that it is accepted, and what it matches', async () => {
    await stage.event();
    await put('shop', { projects: ['shop/*'] });

    await until(async () => (await condition('shop', 'Accepted'))?.status === 'True');

    const status = (await read('shop'))?.status;
    expect(status).toMatchObject({ observedGeneration: 1, matchedProjects: 1, waiting: 0, running: 1 });
    expect(await condition('shop', 'Conflicted')).toMatchObject({ status: 'False', reason: 'NoOverlap' });
  });

  it('applies a change to the next decision, without a restart', async () => {
    await put('shop', { projects: ['shop/*'], review: { enabled: false } });
    await until(() => reviewsOf().kind === 'applies' && JSON.stringify(reviewsOf()).includes('"enabled":false'));
    await stage.event();
    expect(await stage.task()).toMatchObject({ outcome: { kind: 'skipped', why: 'switched-off' } });

    await put('shop', { projects: ['shop/*'], review: { enabled: true } });
    await until(() => JSON.stringify(reviewsOf()).includes('"enabled":true'));
    await stage.event({ headSha: sha('a') });

    expect(await stage.task()).toMatchObject({ state: 'running' });
    await until(async () => (await condition('shop', 'Accepted'))?.observedGeneration === 2);
  });

  it('tells the one that goes behind of a conflict, with an event, until it is resolved', async () => {
    await put('first', { projects: ['shop/*'] });
    await until(async () => (await condition('first', 'Accepted')) !== undefined);
    await systemClock.sleep(1100, ending.signal); // ages are whole seconds
    await put('second', { projects: ['shop/**'] });
    await put('third', { projects: ['*/orders', 'shop/*'] });

    await until(async () => (await condition('third', 'Conflicted'))?.status === 'True');

    expect(await condition('third', 'Conflicted')).toMatchObject({
      reason: 'Overlap',
      message: expect.stringContaining(
        'policy first goes first for projects that match both shop/* and its shop/*: it is older',
      ),
    });
    expect(await condition('first', 'Conflicted')).toMatchObject({ status: 'False' });
    await until(async () => {
      const { items } = await server.client.list(events, { namespace: server.namespace }, call());
      return items.some(({ reason, involvedObject }) => reason === 'Conflicted' && involvedObject.name === 'third');
    });
    await put('third', { projects: ['*/orders', 'shop/*'], precedence: 5 });
    await until(async () => (await condition('third', 'Conflicted'))?.status === 'False');
    expect(await condition('first', 'Conflicted')).toMatchObject({ reason: 'Overridden' });
  });

  it('writes nothing when nothing changes, and nothing at all unless it leads', async () => {
    await put('shop', { projects: ['shop/*'] });
    await until(async () => (await condition('shop', 'Accepted'))?.status === 'True');
    const before = (await read('shop'))?.metadata.resourceVersion;
    isLeader = false;
    await put('other', { projects: ['other/*'] });
    await until(
      () => running.source.policyFor({ forge: 'x', projectId: '1', projectPath: 'other/a' }).kind === 'applies',
    );
    await systemClock.sleep(1500, ending.signal);

    expect((await read('shop'))?.metadata.resourceVersion).toBe(before);
    expect((await read('other'))?.status).toBeUndefined();
  });
});
