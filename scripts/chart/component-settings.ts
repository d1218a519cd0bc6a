import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { environmentName } from '@drydock/core';
import { z } from 'zod';

/** The processes that the chart runs, with a `settings` map each. */
export const components = ['server', 'scheduler', 'gateway'] as const;
export type Component = (typeof components)[number];

/** A setting of a process, by its variable. */
export interface ComponentSetting {
  readonly variable: string;
  readonly isRequired: boolean;
  readonly description: string;
}

/** What the templates set themselves: from other values, from Secrets, or because the manifests count on it. */
export const chartVariables: Readonly<Record<Component, readonly string[]>> = {
  server: [
    ...[
      'DRYDOCK_SERVER_PORT',
      'DRYDOCK_FORGE_ID',
      'DRYDOCK_PROJECTS',
      'DRYDOCK_GATEWAY_URL',
      'DRYDOCK_REDIS_URL',
      'DRYDOCK_REDIS_WAIT_SECONDS',
    ],
    ...['DRYDOCK_WEBHOOK_SECRETS', 'DRYDOCK_VIEWER_TOKENS', 'DRYDOCK_ADMIN_TOKENS', 'DRYDOCK_GATEWAY_VIEW_TOKEN'],
  ],
  scheduler: [
    ...['DRYDOCK_SCHEDULER_PORT', 'DRYDOCK_SCHEDULER_OWNER', 'DRYDOCK_FORGE_ID', 'DRYDOCK_PROJECTS'],
    ...[
      'DRYDOCK_GATEWAY_URL',
      'DRYDOCK_REDIS_URL',
      'DRYDOCK_REDIS_WAIT_SECONDS',
      'DRYDOCK_CONTROL_TOKEN',
      'DRYDOCK_MAX_RUNNING',
    ],
    ...[
      'DRYDOCK_POLICY_FILE',
      'DRYDOCK_POLICY_OBJECTS',
      'DRYDOCK_LAUNCHER',
      'DRYDOCK_KUBE_NAMESPACE',
      'DRYDOCK_KUBE_CONTROL_NAMESPACE',
    ],
    ...['DRYDOCK_KUBE_INSTANCE', 'DRYDOCK_AGENT_IMAGE', 'DRYDOCK_PREFLIGHT_IMAGE', 'DRYDOCK_IMAGE_PULL_POLICY'],
    ...['DRYDOCK_IMAGE_PULL_SECRETS', 'DRYDOCK_AGENT_GATEWAY_IP', 'DRYDOCK_PREFLIGHT_HARD'],
  ],
  gateway: [
    ...['DRYDOCK_GATEWAY_HOST', 'DRYDOCK_GATEWAY_PORT', 'DRYDOCK_GATEWAY_DATA_DIR', 'DRYDOCK_FORGE_ID'],
    ...['DRYDOCK_GITLAB_URL', 'DRYDOCK_GITLAB_TOKEN', 'ANTHROPIC_API_KEY', 'DRYDOCK_MARKER_KEYS'],
    ...[
      'DRYDOCK_REDIS_URL',
      'DRYDOCK_REDIS_WAIT_SECONDS',
      'DRYDOCK_CONTROL_TOKEN',
      'DRYDOCK_VIEW_TOKENS',
      'DRYDOCK_POLICY_FILE',
      'DRYDOCK_CA_FILE',
    ],
    'DRYDOCK_TASKS_NAMESPACE',
  ],
};

/** What no installation in Kubernetes has a use for: the image, the pod or the launcher decides it. */
const withoutUse = new Set([
  ...['PATH', 'DRYDOCK_SERVER_HOST', 'DRYDOCK_SCHEDULER_HOST', 'DRYDOCK_AGENT_ENTRY', 'DRYDOCK_WORK_ROOT'],
  ...[
    'DRYDOCK_AGENT_SERVICE_ACCOUNT',
    'DRYDOCK_AGENT_GATEWAY_URL',
    'DRYDOCK_AGENT_GRACE_MS',
    'DRYDOCK_GATEWAY_AUDIENCE',
    'KUBECONFIG',
  ],
  ...['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT'],
]);

/** All settings of a process, in the order of its schema. */
export async function settingsOf(root: string, component: Component): Promise<readonly ComponentSetting[]> {
  const file = join(root, 'packages', component, 'src', 'config.ts');
  const exported: unknown = await import(pathToFileURL(file).href);
  const schemas = Object.entries(typeof exported === 'object' && exported !== null ? exported : {}).flatMap(
    ([name, value]) => (name.endsWith('Config') && value instanceof z.ZodObject ? [value] : []),
  );
  const [schema] = schemas;
  if (schema === undefined) throw new Error(`${file} exports no z.object named ...Config`);
  return Object.entries(schema.shape).map(([key, field]) => {
    if (!(field instanceof z.ZodType)) throw new Error(`The setting ${key} is no zod schema`);
    const description = field.description ?? '';
    return {
      variable: environmentName(key, field),
      isRequired: !field.safeParse(undefined).success,
      description,
    };
  });
}

/** Those that the values may set in `<component>.settings`. */
export async function freeSettings(root: string, component: Component): Promise<readonly ComponentSetting[]> {
  const taken = new Set(chartVariables[component]);
  return (await settingsOf(root, component)).filter(
    ({ variable }) => !taken.has(variable) && !withoutUse.has(variable),
  );
}
