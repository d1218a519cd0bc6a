import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdLock, type Cluster } from '../../cluster/start-cluster.ts';
import { buildImages, buildTestRedis } from '../images/build-images.ts';
import { imageNames } from '../images/image-inputs.ts';
import { root } from '../run-command.ts';
import { chartFolder } from './chart-values.ts';
import { helm } from './helm.ts';
import { kubectl } from './kubectl.ts';

/** Addresses of Services in test clusters, which have no DNS: from the part of their range that is given out by hand. */
const addresses = { gateway: '10.96.0.81', redis: '10.96.0.63' };

/** Who is told of it, and may stop it. */
interface Preparation {
  readonly signal: AbortSignal;
  readonly onProgress?: (step: string) => void;
}

/** How the chart is installed. */
export interface ChartInstallation extends Preparation {
  /** Values beside those of `testClusterValues`; they go over them. */
  readonly values?: object;
}

/** Builds or fetches all that is installed, and helm: minutes on a new machine, then nothing. */
export async function prepareChart({ signal, onProgress = () => undefined }: Preparation) {
  const images = await buildImages({ root, names: imageNames, signal, onProgress });
  const redis = await buildTestRedis({ root, signal, onProgress });
  await helm(['version']);
  return { images, redis };
}

/**
 * Builds the images of this checkout if they changed, gives them to the cluster's node, and installs or upgrades the
 * chart as `drydock` in the namespace `drydock`; returns when every pod is ready. Throws an `Error` with what helm says.
 */
export async function installChart(cluster: Cluster, options: ChartInstallation): Promise<void> {
  const { values = {}, signal, onProgress = () => undefined } = options;
  const { node } = cluster;
  if (node === null) throw new Error('this cluster has no node that images could be given to');
  const { images, redis } = await prepareChart({ signal, onProgress });
  onProgress('giving the images to the node');
  const there = new Set(await node.listImages(signal));
  for (const { reference, archive } of [...images, redis])
    if (!there.has(reference)) await node.importImage(archive, signal);
  const tags = Object.fromEntries(images.map(({ name, reference }) => [name, reference.split(':').at(-1) ?? '']));
  onProgress('installing the chart');
  const { kubeconfigPath } = cluster;
  await using _lock = await holdLock(`chart-${kubeconfigPath}`.slice(-90), () => 'installing the chart', {
    signal,
    onWait: ({ pid, doing }) => onProgress(`waiting for process ${pid}, which is ${doing}`),
  });
  await removePending(kubeconfigPath);
  await installRelease(cluster.kubeconfigPath, [testClusterValues(tags, redis.reference), values]);
}

/** What a single node without DNS, storage and registry needs; secrets that are worth nothing. */
function testClusterValues(tags: Readonly<Record<string, string>>, redisImage: string): object {
  return {
    image: { tags },
    secrets: {
      server: { webhookSecrets: 'a-webhook-secret-of-tests', adminTokens: 'test:an-admin-token-of-tests' },
      gateway: { gitlabToken: 'a-gitlab-token-of-tests', anthropicApiKey: 'a-model-key-of-tests' },
    },
    redis: { image: redisImage, persistence: { enabled: false }, service: { clusterIP: addresses.redis } },
    server: { replicas: 1, resources: { requests: { cpu: '10m' } } },
    scheduler: { replicas: 1, resources: { requests: { cpu: '10m' } } },
    gateway: {
      replicas: 1,
      resources: { requests: { cpu: '10m' } },
      graceSeconds: 30,
      service: { clusterIP: addresses.gateway },
    },
    networkPolicy: { dnsPorts: [] },
  };
}

/** A helm that was killed leaves its release as if somebody were at work on it, which stops every later one. */
async function removePending(kubeconfig: string): Promise<void> {
  const states = 'pending-install,pending-upgrade,pending-rollback';
  const selector = `owner=helm,name=drydock,status in (${states})`;
  await kubectl(kubeconfig, ['--namespace', 'drydock', 'delete', 'secret', '--selector', selector]);
}

/** Later values go over earlier ones. */
async function installRelease(kubeconfig: string, values: readonly object[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-values-'));
  try {
    const files = values.map((_, index) => join(folder, `${String(index)}.json`));
    for (const [index, file] of files.entries()) {
      await writeFile(file, JSON.stringify(values[index]), { mode: 0o600 });
    }
    await helm([
      ...['upgrade', 'drydock', join(root, chartFolder), '--install', '--create-namespace', '--namespace', 'drydock'],
      ...['--kubeconfig', kubeconfig, '--wait', '--timeout', '180s', ...files.flatMap((file) => ['--values', file])],
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
