import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { goldenText } from '@drydock/testkit';
import { z } from 'zod';
import { root } from '../run-command.ts';
import { chartVariants } from './chart-variants.ts';
import { chartFolder } from './chart-values.ts';
import { chartVariables, components, settingsOf } from './component-settings.ts';
import { helm } from './helm.ts';
import { manifestText, renderChart, type Manifest } from './render-chart.ts';

const Container = z.looseObject({
  name: z.string(),
  env: z.array(z.looseObject({ name: z.string() })).default([]),
  envFrom: z.array(z.looseObject({ configMapRef: z.object({ name: z.string() }) })).default([]),
  resources: z.looseObject({ requests: z.looseObject({}), limits: z.looseObject({ memory: z.string() }) }),
  securityContext: z.looseObject({}),
});
const Workload = z.looseObject({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        automountServiceAccountToken: z.boolean(),
        enableServiceLinks: z.boolean(),
        serviceAccountName: z.string(),
        securityContext: z.looseObject({}),
        containers: z.array(Container),
      }),
    }),
  }),
});
const ConfigMap = z.looseObject({ data: z.record(z.string(), z.string()) });

const rendered = new Map<string, readonly Manifest[]>();
beforeAll(async () => {
  for (const [name, values] of Object.entries(chartVariants)) rendered.set(name, await renderChart(root, values));
});

const manifests = (variant: string) => rendered.get(variant) ?? [];
const workloads = (variant: string) =>
  manifests(variant).flatMap((manifest) => {
    const parsed = Workload.safeParse(manifest);
    return parsed.success ? [parsed.data] : [];
  });
const variants = Object.keys(chartVariants);

/** Random ones differ with every run, and the policies are another file's. */
function withoutChance(all: readonly Manifest[]): readonly Manifest[] {
  return all
    .filter(({ kind }) => kind !== 'CustomResourceDefinition')
    .map((manifest) => {
      const { kind, metadata } = manifest;
      const annotations = z.record(z.string(), z.string()).safeParse(metadata['annotations']).data ?? {};
      if (kind !== 'Secret' || annotations['helm.sh/resource-policy'] !== 'keep') return manifest;
      const { data } = ConfigMap.parse(manifest);
      return { ...manifest, data: Object.fromEntries(Object.keys(data).map((key) => [key, '<random>'])) };
    });
}

/** What a component is told: the variable, and whether it may be missing. */
function variablesOf(variant: string, component: string): ReadonlySet<string> {
  const workload = workloads(variant).find(({ metadata }) => metadata.name === `drydock-${component}`);
  const container = workload?.spec.template.spec.containers[0];
  const maps = (container?.envFrom ?? []).flatMap(({ configMapRef }) => {
    const map = manifests(variant).find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name,
    );
    return Object.keys(ConfigMap.parse(map).data);
  });
  return new Set([...maps, ...(container?.env ?? []).map(({ name }) => name)]);
}

describe('the chart', () => {
  it.each(variants)('renders what is written down: %s', (variant) => {
    const text = manifestText(withoutChance(manifests(variant)));

    expect(text).toBe(goldenText(import.meta.url, `${variant}.yaml`, text));
  });

  it('passes helm lint', async () => {
    expect(await helm(['lint', '--strict', join(root, chartFolder)])).toContain('0 chart(s) failed');
  });

  it('refuses a value that nobody reads, and a setting that does not exist', async () => {
    await expect(renderChart(root, { gateway: { replica: 3 } })).rejects.toThrow(/replica/);
    await expect(renderChart(root, { gateway: { settings: { DRYDOCK_MODEL_URI: 'x' } } })).rejects.toThrow(
      /DRYDOCK_MODEL_URI/,
    );
  });

  it('refuses a setting that it sets itself, and a digest that is none', async () => {
    await expect(renderChart(root, { gateway: { settings: { DRYDOCK_GATEWAY_PORT: 1 } } })).rejects.toThrow(
      /DRYDOCK_GATEWAY_PORT/,
    );
    await expect(renderChart(root, { image: { digests: { agent: 'latest' } } })).rejects.toThrow(/digests/);
  });

  it('refuses agents beside the secrets, and an address that no preflight can try', async () => {
    await expect(renderChart(root, { tasks: { namespace: 'drydock' } })).rejects.toThrow(/could mount its Secrets/);
    for (const target of ['kubernetes.default:443', 'example.com:443', '10.96.0.1', ':443']) {
      await expect(renderChart(root, { tasks: { unreachable: [target] } })).rejects.toThrow(/unreachable/);
    }
    await renderChart(root, { tasks: { unreachable: ['[fd00::1]:443', '$(KUBERNETES_SERVICE_HOST):443'] } });
  });

  it.each(components)('sets only variables that the %s reads, and all that it needs', async (component) => {
    const settings = await settingsOf(root, component);
    const known = new Set(settings.map(({ variable }) => variable));
    const needed = settings.filter(({ isRequired }) => isRequired).map(({ variable }) => variable);

    for (const variant of variants) {
      const set = variablesOf(variant, component);
      expect([...set].filter((variable) => !known.has(variable))).toEqual([]);
      expect(needed.filter((variable) => !set.has(variable))).toEqual([]);
    }
  });

  it.each(components)('lists every variable that it sets for the %s', (component) => {
    const given = new Set(variants.flatMap((variant) => [...variablesOf(variant, component)]));
    const { [component]: values } = z
      .record(z.string(), z.object({ settings: z.record(z.string(), z.unknown()).default({}) }))
      .parse({ [component]: {}, ...pick(chartVariants['everything'], component) });
    const free = Object.keys(values?.settings ?? {});

    expect([...given].filter((variable) => !free.includes(variable)).sort()).toEqual(
      [...chartVariables[component]].sort(),
    );
  });

  it.each(variants)('keeps every pod within Pod Security restricted, on a read-only root: %s', (variant) => {
    expect(workloads(variant).length).toBeGreaterThanOrEqual(3);
    for (const { metadata, spec } of workloads(variant)) {
      const pod = spec.template.spec;
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      // The scheduler alone is told the address of the gateway that way, to tell it to the agents.
      expect([metadata.name, pod.enableServiceLinks]).toEqual([metadata.name, metadata.name === 'drydock-scheduler']);
      expect([metadata.name, pod.automountServiceAccountToken]).toEqual([
        metadata.name,
        ['drydock-scheduler', 'drydock-gateway'].includes(metadata.name),
      ]);
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container).toHaveProperty('livenessProbe');
        expect(container).toHaveProperty('readinessProbe');
        expect(container).toHaveProperty('startupProbe');
      }
    }
  });

  it('gives no secret to a process but by reference, and none of the gateway to the others', () => {
    for (const variant of variants) {
      for (const { metadata, spec } of workloads(variant)) {
        const text = JSON.stringify(spec);
        expect(text).not.toMatch(/a-gitlab-token|a-model-key|a-webhook-secret/);
        if (metadata.name !== 'drydock-gateway') expect(text).not.toMatch(/gitlab-token|anthropic|marker-keys/);
      }
    }
  });

  it('has one ClusterRole, which asks whose token it is', () => {
    const roles = manifests('everything').filter(({ kind }) => kind === 'ClusterRole');

    expect(roles.map(({ metadata, ...role }) => [metadata.name, role['rules']])).toEqual([
      [
        'drydock-gateway-drydock',
        [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }],
      ],
    ]);
  });

  it('wants no disruption budget for a single pod, which would hold up every drain', () => {
    expect(manifests('small').filter(({ kind }) => kind === 'PodDisruptionBudget')).toEqual([]);
    expect(manifests('default').filter(({ kind }) => kind === 'PodDisruptionBudget')).toHaveLength(3);
  });
});

function pick(values: object | undefined, key: string): object {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([name]) => name === key));
}
