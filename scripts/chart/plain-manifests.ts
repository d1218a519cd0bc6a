import { stringify } from 'yaml';
import { manifestText, renderChart, type Manifest } from './render-chart.ts';

/** Without Helm nobody makes random secrets: they are the operator's, made once. */
const values = {
  controlNamespace: { create: true },
  secrets: { internal: { generate: false } },
  redis: { generate: false },
};

/** Which file of `k8s/` an object belongs to; what is applied first comes first. */
const files: readonly (readonly [file: string, holds: (manifest: Manifest) => boolean])[] = [
  ['namespaces.yaml', ({ kind }) => kind === 'Namespace'],
  ['crds.yaml', ({ kind }) => kind === 'CustomResourceDefinition'],
  ['tasks.yaml', ({ metadata }) => metadata.namespace === 'drydock-tasks'],
  ['rbac.yaml', ({ kind }) => /Role|ServiceAccount/.test(kind)],
  ['network-policies.yaml', ({ kind }) => kind === 'NetworkPolicy'],
  ['redis.yaml', ({ metadata }) => metadata.name === 'drydock-redis'],
  ['drydock.yaml', () => true],
];

const head =
  '# Generated from deploy/helm/drydock with its defaults by scripts/generate.ts; `make fix` writes it again.\n';

/** The files of `k8s/`, by their name. */
export async function plainManifests(root: string): Promise<Readonly<Record<string, string>>> {
  const waiting = (await renderChart(root, values)).map(withoutHelm);
  const made: Record<string, string> = {};
  for (const [file, holds] of files) {
    const held = waiting.filter(holds);
    waiting.splice(0, waiting.length, ...waiting.filter((manifest) => !holds(manifest)));
    made[file] = head + manifestText(held);
  }
  const resources = files.map(([file]) => file);
  const kustomization = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources };
  made['kustomization.yaml'] = head + stringify(kustomization);
  return made;
}

/** What says that Helm looks after it would be untrue here. */
function withoutHelm(manifest: Manifest): Manifest {
  const text = JSON.stringify(manifest, (key, value: unknown) => {
    if (key === 'helm.sh/chart' || key === 'helm.sh/resource-policy') return undefined;
    return key === 'app.kubernetes.io/managed-by' && value === 'Helm' ? 'kubectl' : value;
  });
  return JSON.parse(text) as Manifest;
}
