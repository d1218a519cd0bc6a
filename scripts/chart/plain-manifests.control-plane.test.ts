import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { useCluster, type Cluster } from '../../cluster/start-cluster.ts';
import { root } from '../run-command.ts';
import { kubectl } from './kubectl.ts';

const folder = join(root, 'k8s');
let cluster: Cluster;
beforeAll(async () => {
  cluster = await useCluster({ name: 'plain', level: 'control-plane', signal: AbortSignal.timeout(120_000) });
  if (cluster.isYours)
    throw new Error('this test installs Drydock under fixed names, and only into a cluster of its own');
}, 180_000);
afterAll(async () => {
  if (!cluster.isYours) await cluster.stop();
});

const apply = (...args: string[]) => kubectl(cluster.kubeconfigPath, ['apply', '--server-side', ...args]);

describe('the plain manifests on a real API server', () => {
  it('are taken as they are, without a warning, and change nothing when applied again', async () => {
    const before = await apply('-f', join(folder, 'namespaces.yaml'), '-f', join(folder, 'crds.yaml'));
    const dry = await apply('--dry-run=server', '--validate=strict', '-k', folder);
    const first = await apply('--validate=strict', '-k', folder);
    const second = await kubectl(cluster.kubeconfigPath, ['diff', '--server-side', '-k', folder]);

    // Among them what Pod Security would not let in.
    expect([before, dry, first].map(({ stderr }) => stderr)).toEqual(['', '', '']);
    expect(first.stdout).toContain('deployment.apps/drydock-gateway serverside-applied');
    expect(second.stdout).toBe('');
  });
});
