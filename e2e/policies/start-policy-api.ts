import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { useCluster } from '../../cluster/start-cluster.ts';
import { openPlainApi, type PlainAnswer, type PlainApi } from './plain-api.ts';

/** Where the CRD is that people install. */
export const crdFile = new URL('../../deploy/helm/drydock/files/crds/reviewpolicies.drydock.dev.yaml', import.meta.url);
const crdPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const namespace = `policies-${randomBytes(5).toString('hex')}`;
const policies = `/apis/drydock.dev/v1alpha1/namespaces/${namespace}/reviewpolicies`;

const Crd = z.looseObject({ metadata: z.object({ name: z.string() }) });
const CrdState = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() }).optional(),
});

/** A control plane that knows `ReviewPolicy`. */
export interface PolicyApi extends AsyncDisposable {
  readonly api: PlainApi;
  readonly kubeconfigPath: string;
  readonly namespace: string;
  /** The path of its policies. */
  readonly policies: string;
  /** Creates one, as kubectl does: unknown fields are refused. `isTry`: nothing is kept. */
  create(object: unknown, isTry?: boolean): Promise<PlainAnswer>;
}

/** Starts or finds a control plane, and brings the CRD of the chart there. */
export async function startPolicyApi(): Promise<PolicyApi> {
  const signal = AbortSignal.timeout(120_000);
  const cluster = await useCluster({ name: 'tests', level: 'control-plane', signal });
  const api = await openPlainApi(cluster.kubeconfigPath);
  const crd = Crd.parse(parse(await readFile(crdFile, 'utf8')));
  const apply = { body: crd, contentType: 'application/apply-patch+yaml' };
  const applied = await api('PATCH', `${crdPath}/${crd.metadata.name}?fieldManager=test&force=true`, apply);
  if (applied.status >= 300) throw new Error(`the CRD is refused: ${JSON.stringify(applied.body)}`);
  await untilEstablished(api, crd.metadata.name, signal);
  await api('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  return {
    api,
    kubeconfigPath: cluster.kubeconfigPath,
    namespace,
    policies,
    create: (body, isTry = false) =>
      api('POST', `${policies}?fieldValidation=Strict${isTry ? '&dryRun=All' : ''}`, { body }),
    // The cluster is shared, and ends with whoever started it.
    [Symbol.asyncDispose]: async () => {
      await api('DELETE', `/api/v1/namespaces/${namespace}`);
    },
  };
}

async function untilEstablished(api: PlainApi, name: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { body } = await api('GET', `${crdPath}/${name}`);
    const { status } = CrdState.parse(body);
    const isEstablished = status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True');
    if (isEstablished === true && (await api('GET', policies)).status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
