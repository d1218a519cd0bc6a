import { randomBytes } from 'node:crypto';
import { systemClock } from '@drydock/core';
import { startKubeFaultProxy, type KubeFaultProxy } from '@drydock/testkit';
import { z } from 'zod';
import { useCluster } from '../../../../cluster/start-cluster.ts';
import { createKubeClient } from '../http-kube-client.ts';
import { loadKubeAccess, type KubeAccess } from '../kube-access.ts';
import type { KubeClient } from '../kube-client.ts';
import { defineResource, ObjectMetadata, type Manifest, type Resource } from '../resource.ts';

/** A real API server and a namespace of its own. */
export interface ControlPlane extends AsyncDisposable {
  readonly access: KubeAccess;
  /** The direct way, without faults and turns. */
  readonly client: KubeClient;
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** As a user who may do what RBAC gives to the user and its groups. */
  accessFor(subject: { readonly user: string; readonly groups?: readonly string[] }): Promise<KubeAccess>;
  startProxy(): Promise<KubeFaultProxy>;
}

const namespaces = defineResource({
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  isNamespaced: false,
  schema: z.object({ metadata: ObjectMetadata }),
});

export const configMaps = defineResource({
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  isNamespaced: true,
  schema: z.object({ metadata: ObjectMetadata, data: z.record(z.string(), z.string()).default({}) }),
});

export const secrets = defineResource({
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  isNamespaced: true,
  schema: z.object({ metadata: ObjectMetadata }),
});

const KubeQuota = z.object({
  metadata: ObjectMetadata,
  status: z.object({ hard: z.record(z.string(), z.string()).optional() }).prefault({}),
});
type KubeQuota = z.infer<typeof KubeQuota>;

export const quotas: Resource<KubeQuota, Manifest & { readonly spec: object }> = defineResource({
  group: '',
  version: 'v1',
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  isNamespaced: true,
  schema: KubeQuota,
});

/** Waits for what the cluster does by itself. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  const forever = new AbortController().signal;
  while (!(await isSo())) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`it did not come to pass: ${isSo.toString()}`);
    await systemClock.sleep(20, forever);
  }
}

/** Finds the control plane that all tests share, or starts it. */
export async function useControlPlane(): Promise<ControlPlane> {
  const ending = new AbortController();
  const cluster = await useCluster({ name: 'tests', level: 'control-plane', signal: AbortSignal.timeout(120_000) });
  const access = await loadKubeAccess({ kubeconfigFile: cluster.kubeconfigPath, service: null, clock: systemClock });
  const client = createKubeClient({ access, qps: 1000, burst: 1000 });
  const namespace = `kube-${randomBytes(5).toString('hex')}`;
  const { signal } = ending;
  await client.create(namespaces, { metadata: { name: namespace } }, { signal });
  return {
    access,
    client,
    namespace,
    signal,
    accessFor: async ({ user, groups = [] }) => {
      const kubeconfigFile = await cluster.kubeconfigFor({ user, groups: [...groups] });
      return loadKubeAccess({ kubeconfigFile, service: null, clock: systemClock });
    },
    startProxy: async () => startKubeFaultProxy({ server: access.server, tls: (await access.credentials(false)).tls }),
    async [Symbol.asyncDispose]() {
      await client.delete(namespaces, { name: namespace }, { uid: null, signal: AbortSignal.timeout(60_000) });
      ending.abort();
      client.close();
    },
  };
}

/** Whoever comes by plain HTTP: what speaks to a proxy on loopback. */
export function plainAccess(server: string, headers: Readonly<Record<string, string>> = {}): KubeAccess {
  return { server, namespace: null, credentials: async () => ({ headers, tls: {}, tlsVersion: '' }) };
}

/** A Job as small as the server takes it; without a kubelet it stays as it is. */
export function aJob(namespace: string, name: string, labels: Readonly<Record<string, string>> = {}) {
  const containers = [{ name: 'main', image: 'nowhere.example/none' }];
  return {
    metadata: { namespace, name, labels: { ...labels } },
    spec: { backoffLimit: 0, suspend: true, template: { spec: { restartPolicy: 'Never', containers } } },
  };
}
