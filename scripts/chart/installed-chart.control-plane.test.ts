import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { goldenText } from '@drydock/testkit';
import { z } from 'zod';
import { useCluster, type Cluster } from '../../cluster/start-cluster.ts';
import { root } from '../run-command.ts';
import { chartFolder } from './chart-values.ts';
import { helm } from './helm.ts';
import { kubectl } from './kubectl.ts';
import { rightsOf } from './rights-of.ts';

const accounts = [
  { namespace: 'drydock', name: 'drydock-server' },
  { namespace: 'drydock', name: 'drydock-scheduler' },
  { namespace: 'drydock', name: 'drydock-gateway' },
  { namespace: 'drydock', name: 'drydock-redis' },
  { namespace: 'drydock-tasks', name: 'drydock-agent' },
  { namespace: 'drydock-tasks', name: 'default' },
];
const namespaces = ['drydock', 'drydock-tasks', 'default', 'kube-system'];

const Kept = z.object({
  spec: z.object({ clusterIP: z.string() }).optional(),
  data: z.record(z.string(), z.string()).optional(),
});

let cluster: Cluster;
beforeAll(async () => {
  cluster = await useCluster({ name: 'chart', level: 'control-plane', signal: AbortSignal.timeout(120_000) });
  if (cluster.isYours)
    throw new Error('this test installs Drydock under fixed names, and only into a cluster of its own');
  await install();
}, 180_000);
afterAll(async () => {
  if (!cluster.isYours) await cluster.stop();
});

/** No pod starts here, so nothing is waited for. */
async function install(...args: string[]): Promise<string> {
  const flags = ['--install', '--create-namespace', '--namespace', 'drydock', '--kubeconfig', cluster.kubeconfigPath];
  return helm(['upgrade', 'drydock', join(root, chartFolder), ...flags, ...args]);
}

async function read(kind: string, name: string): Promise<z.infer<typeof Kept>> {
  const { stdout } = await kubectl(cluster.kubeconfigPath, ['-n', 'drydock', 'get', kind, name, '-o', 'json']);
  return Kept.parse(JSON.parse(stdout));
}

async function whatMustStay() {
  const [service, internal, redis] = await Promise.all([
    read('service', 'drydock-gateway'),
    read('secret', 'drydock-internal'),
    read('secret', 'drydock-redis'),
  ]);
  return { address: service.spec?.clusterIP, internal: internal.data, redis: redis.data };
}

describe('the chart on a real API server', () => {
  it('gives every ServiceAccount the rights that are written down, and none more', async () => {
    const outsider = new Set(
      (
        await Promise.all(
          namespaces.map((namespace) =>
            rightsOf(cluster.kubeconfigPath, { namespace: 'default', name: 'nobody' }, namespace),
          ),
        )
      ).flat(),
    );
    const lines: string[] = [];
    for (const account of accounts) {
      for (const namespace of namespaces) {
        const rights = await rightsOf(cluster.kubeconfigPath, account, namespace);
        const own = rights.filter((right) => !outsider.has(right));
        lines.push(`${account.namespace}/${account.name} in ${namespace}: ${own.length === 0 ? 'nothing' : ''}`.trim());
        lines.push(...own.map((right) => `  ${right}`));
      }
    }
    const text = `${lines.join('\n')}\n`;

    expect(text).toBe(goldenText(import.meta.url, 'rights.txt', text));
  });

  it('keeps random secrets and the address of the gateway when it is upgraded', async () => {
    const before = await whatMustStay();

    await install('--set', 'server.replicas=3');

    expect(await whatMustStay()).toEqual(before);
    expect(Object.keys(before.internal ?? {}).sort()).toEqual(['control-token', 'marker-keys', 'view-token']);
    expect(before.address).toMatch(/^\d+\./);
  });

  it('tells what is missing, and stops telling once it is there', async () => {
    expect(await install()).toContain('create secret generic drydock-gateway');

    const secret = ['-n', 'drydock', 'create', 'secret', 'generic', 'drydock-gateway'];
    await kubectl(cluster.kubeconfigPath, [...secret, '--from-literal=gitlab-token=x']);

    expect(await install()).not.toContain('create secret generic drydock-gateway');
  });

  it('leaves what must stay when it is uninstalled, and takes it up again', async () => {
    const before = await whatMustStay();

    await helm(['uninstall', 'drydock', '--namespace', 'drydock', '--kubeconfig', cluster.kubeconfigPath, '--wait']);

    expect(await whatMustStay()).toEqual(before);
    const { stdout } = await kubectl(cluster.kubeconfigPath, ['get', 'crds', '-o', 'name']);
    expect(stdout).toContain('reviewpolicies.drydock.dev');
    await install('--set', 'tasks.createNamespace=true');
    expect(await whatMustStay()).toEqual(before);
  });

  it('leaves alone a secret that somebody else made', async () => {
    const secret = ['-n', 'drydock', 'create', 'secret', 'generic', 'my-tokens', '--from-literal=control-token=mine'];
    await kubectl(cluster.kubeconfigPath, secret);

    await install('--set', 'secrets.internal.existingSecret=my-tokens');

    expect((await read('secret', 'my-tokens')).data).toEqual({
      'control-token': Buffer.from('mine').toString('base64'),
    });
  });
});
