/**
 * A scheduler process that is stopped for longer than its leases last, and goes on as if nothing had happened. There is
 * no kubelet: the status of pods is written by hand.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { attemptOf, systemClock } from '@drydock/core';
import { ObjectMetadata, defineResource } from '@drydock/kube';
import { startKubeFaultProxy, type KubeFaultProxy } from '@drydock/testkit';
import { z } from 'zod';
import { ClusterSchedulers } from './testing/cluster-schedulers.ts';
import { KubeStage, eventually } from './testing/kube-stage.ts';
import { anEvent, sha, taskId } from './testing/world-gateway.ts';

const Lease = z.object({ metadata: ObjectMetadata, spec: z.object({ holderIdentity: z.string().nullish() }) });
const leases = defineResource<z.infer<typeof Lease>>({
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  isNamespaced: true,
  schema: Lease,
});
const reading: ReadonlySet<string> = new Set(['get', 'list', 'watch']);
/** In which a scheduler that is awake renews its leases, reaps and looks for work, several times. */
const watchedMs = 8000;

describe('a scheduler of a cluster that was frozen', () => {
  let stage: KubeStage;
  let schedulers: ClusterSchedulers;
  let proxy: KubeFaultProxy;
  let folder: string;

  beforeAll(async () => {
    stage = await KubeStage.open();
    schedulers = await ClusterSchedulers.open(stage);
    const { tls } = await stage.access.credentials(false);
    proxy = await startKubeFaultProxy({ server: stage.access.server, tls });
    folder = await mkdtemp(join(tmpdir(), 'drydock-frozen-'));
  });
  afterAll(async () => {
    await schedulers[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Its calls of the API server, and of no other, pass the proxy. */
  async function proxiedKubeconfig(): Promise<string> {
    const file = join(folder, 'kubeconfig');
    const entry = (name: string, what: object) => [{ name, ...what }];
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: entry('c', { cluster: { server: proxy.url, 'insecure-skip-tls-verify': true } }),
      users: entry('u', { user: {} }),
      contexts: entry('x', { context: { cluster: 'c', user: 'u' } }),
      'current-context': 'x',
    };
    await writeFile(file, JSON.stringify(config));
    return file;
  }

  const leaderNow = async () => {
    const { items } = await stage.client.list(
      leases,
      { namespace: stage.namespace },
      { signal: AbortSignal.timeout(60_000) },
    );
    return items[0]?.spec.holderIdentity ?? null;
  };

  it('row 27, reported 40: writes nothing that is another one’s by now, neither to the cluster nor anywhere else', async () => {
    const { queue, world } = schedulers;
    const frozen = await schedulers.start({ KUBECONFIG: await proxiedKubeconfig() });
    const firstLeader = await eventually(async () => (await leaderNow()) ?? undefined);
    await queue.enqueue(anEvent(), { deliveryKeys: [], debounceMs: 0, maxDebounceMs: 0 });
    const runId = await eventually(async () => [...world.runs.keys()][0]);
    await stage.begin(runId);
    await eventually(async () => (await queue.get(taskId))?.state === 'running');

    frozen.kill('SIGSTOP');
    await schedulers.start();
    await eventually(async () => (await queue.events(taskId)).some(({ what }) => what === 'adopted'));
    // Its term is over as well: somebody else reaps.
    await eventually(async () => ![firstLeader, null].includes(await leaderNow()));
    const writesBefore = world.writes.length;
    const callsBefore = proxy.requests.length;
    frozen.kill('SIGCONT');
    await systemClock.sleep(watchedMs, new AbortController().signal);

    const calls = proxy.requests.slice(callsBefore);
    expect(calls.length).toBeGreaterThan(0); // it is awake
    expect(calls.filter(({ verb }) => !reading.has(verb))).toEqual([]);
    expect(world.writes.slice(writesBefore)).toEqual([]);
    expect(world.revoked).toEqual([]);

    world.submitReview(runId);
    await stage.end(runId);
    await eventually(async () => (await queue.get(taskId))?.state === 'done');
    expect(world.published).toEqual([sha('a')]);
    expect(attemptOf((await queue.get(taskId))?.launch ?? 0)).toBe(1);
  }, 300_000);
});
