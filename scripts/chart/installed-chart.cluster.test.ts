import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { useCluster, type Cluster } from '../../cluster/start-cluster.ts';
import { installChart } from './install-chart.ts';
import { kubectl } from './kubectl.ts';

const Pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()) }),
      status: z.object({
        containerStatuses: z.array(z.object({ ready: z.boolean(), restartCount: z.int(), image: z.string() })),
      }),
    }),
  ),
});

let cluster: Cluster;
beforeAll(async () => {
  const signal = AbortSignal.timeout(1_500_000);
  cluster = await useCluster({ name: 'installed', level: 'full', signal });
  await installChart(cluster, { signal });
}, 1_500_000);
afterAll(async () => {
  await cluster.stop();
}, 120_000);

async function pods(): Promise<z.infer<typeof Pods>['items']> {
  const { stdout } = await kubectl(cluster.kubeconfigPath, ['-n', 'drydock', 'get', 'pods', '-o', 'json']);
  return Pods.parse(JSON.parse(stdout)).items;
}

describe('the chart on a real node', () => {
  it('runs every process from our images, ready, without a restart', async () => {
    const found = await pods();

    expect(found.map(({ metadata }) => metadata.labels['app.kubernetes.io/name']).sort()).toEqual([
      'drydock-gateway',
      'drydock-redis',
      'drydock-scheduler',
      'drydock-server',
    ]);
    for (const { metadata, status } of found) {
      expect([metadata.name, status.containerStatuses.map(({ ready }) => ready)]).toEqual([metadata.name, [true]]);
      expect([metadata.name, status.containerStatuses.map(({ restartCount }) => restartCount)]).toEqual([
        metadata.name,
        [0],
      ]);
    }
  });

  it('takes a webhook by its Service and keeps it in Redis', async () => {
    const { node } = cluster;
    if (node === null) throw new Error('no node');
    const { stdout } = await kubectl(cluster.kubeconfigPath, [
      ...['-n', 'drydock', 'get', 'service', 'drydock-server', '-o', 'jsonpath={.spec.clusterIP}'],
    ]);
    await using way = await node.forward('network', stdout, 8080);

    const health = await fetch(`http://127.0.0.1:${String(way.port)}/health`, { signal: AbortSignal.timeout(10_000) });
    const refused = await fetch(`http://127.0.0.1:${String(way.port)}/webhooks/gitlab`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'x-gitlab-token': 'wrong' },
      signal: AbortSignal.timeout(10_000),
    });

    expect(await health.json()).toMatchObject({ status: 'ok', redis: 'ok' });
    expect(refused.status).toBe(401);
  });

  it('is upgraded in place when installed again', async () => {
    const before = (await pods()).map(({ metadata }) => metadata.name).sort();

    await installChart(cluster, { signal: AbortSignal.timeout(300_000) });

    expect((await pods()).map(({ metadata }) => metadata.name).sort()).toEqual(before);
  }, 300_000);

  it('is installed after a helm was killed at its work, also by two at once', async () => {
    const signal = AbortSignal.timeout(300_000);
    const stuck = installChart(cluster, { signal, values: { image: { tags: { server: 'nowhere' } } } });
    const failed = stuck.catch((error: unknown) => error);
    await until(async () => (await releases('pending-upgrade')) !== '');
    await killHelm(cluster.kubeconfigPath);
    expect(await failed).toBeInstanceOf(Error);
    expect(await releases('pending-upgrade')).not.toBe('');

    await Promise.all([installChart(cluster, { signal }), installChart(cluster, { signal })]);

    expect(await releases('pending-upgrade')).toBe('');
    expect((await releases('deployed')).trim().split('\n')).toHaveLength(1);
  }, 300_000);
});

/** What helm keeps of its releases, by their state. */
async function releases(status: string): Promise<string> {
  const which = ['get', 'secret', '--selector', `owner=helm,status=${status}`, '--output', 'name'];
  return (await kubectl(cluster.kubeconfigPath, ['--namespace', 'drydock', ...which])).stdout;
}

async function killHelm(kubeconfig: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words[1] === 'upgrade' && words.includes(kubeconfig)) process.kill(Number(pid), 'SIGKILL');
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 240_000;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it did not come to pass: ${isSo.toString()}`);
    await sleep(100);
  }
}
