import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { systemClock } from '@drydock/core';
import { ObjectMetadata, createKubeClient, defineResource, loadKubeAccess, type KubeClient } from '@drydock/kube';
import { parse } from 'yaml';
import { z } from 'zod';
import { useCluster } from '../../../../cluster/start-cluster.ts';

const crdFile = '../../../../deploy/helm/drydock/files/crds/reviewpolicies.drydock.dev.yaml';

const Crd = z.object({
  metadata: ObjectMetadata,
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() }).optional(),
});
const crds = defineResource({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  isNamespaced: false,
  schema: Crd,
});
const namespaces = defineResource({
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  isNamespaced: false,
  schema: z.object({ metadata: ObjectMetadata }),
});

/** A real API server that knows `ReviewPolicy`, and a namespace of its own. */
export interface PolicyServer extends AsyncDisposable {
  readonly client: KubeClient;
  readonly namespace: string;
}

/** Waits for what happens by itself. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  while (!(await isSo())) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`it did not come to pass: ${isSo.toString()}`);
    await systemClock.sleep(20, new AbortController().signal);
  }
}

/** Finds or starts a control plane, and brings the CRD of the chart there. */
export async function usePolicyServer(): Promise<PolicyServer> {
  const signal = AbortSignal.timeout(120_000);
  const cluster = await useCluster({ name: 'tests', level: 'control-plane', signal });
  const access = await loadKubeAccess({ kubeconfigFile: cluster.kubeconfigPath, service: null, clock: systemClock });
  const client = createKubeClient({ access, qps: 1000, burst: 1000 });
  const crd = z
    .looseObject({ metadata: z.object({ name: z.string() }) })
    .parse(parse(await readFile(new URL(crdFile, import.meta.url), 'utf8')));
  const { name } = crd.metadata;
  await client.patch(crds, { name }, crd, { form: 'apply', fieldManager: 'test', signal });
  await until(async () => {
    const conditions = (await client.read(crds, { name }, { signal }))?.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
  });
  const namespace = `policies-${randomBytes(5).toString('hex')}`;
  await client.create(namespaces, { metadata: { name: namespace } }, { signal });
  return {
    client,
    namespace,
    async [Symbol.asyncDispose]() {
      await client.delete(namespaces, { name: namespace }, { uid: null, signal: AbortSignal.timeout(60_000) });
      client.close();
    },
  };
}
