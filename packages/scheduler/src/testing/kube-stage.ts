import { randomBytes } from 'node:crypto';
import { DrydockError, silentLog, systemClock, type Log, type LogFacts } from '@drydock/core';
import {
  createKubeClient,
  defineResource,
  jobs,
  loadKubeAccess,
  ObjectMetadata,
  pods,
  startWatch,
  type KubeAccess,
  type KubeClient,
  type KubeJob,
  type KubePod,
  type Manifest,
} from '@drydock/kube';
import { startKubeFaultProxy, type KubeFaultProxy } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { useCluster } from '../../../../cluster/start-cluster.ts';
import { runSelector } from '../launchers/kube/job-labels.ts';
import { KubeLauncher, type KubeLauncherSettings } from '../launchers/kube/kube-launcher.ts';
import { createKubeLauncherMetrics } from '../launchers/kube/kube-launcher-metrics.ts';
import { RunBoard } from '../launchers/kube/run-board.ts';
import { jobFacts, podFacts } from '../launchers/kube/run-facts.ts';
import { jobSettings } from './job-settings.ts';

/** Metadata alone is read of them. */
const plain = (group: string, version: string, plural: string, kind: string, isNamespaced: boolean) =>
  defineResource<{ metadata: ObjectMetadata }, Manifest & { readonly spec?: object }>({
    group,
    version,
    plural,
    kind,
    isNamespaced,
    schema: z.object({ metadata: ObjectMetadata }),
  });
const namespaces = plain('', 'v1', 'namespaces', 'Namespace', false);
const serviceAccounts = plain('', 'v1', 'serviceaccounts', 'ServiceAccount', true);
export const quotas = plain('', 'v1', 'resourcequotas', 'ResourceQuota', true);
export const limitRanges = plain('', 'v1', 'limitranges', 'LimitRange', true);

/** A launcher as a scheduler has it, whose API calls a test sees and spoils. */
export interface StagedLauncher extends AsyncDisposable {
  readonly launcher: KubeLauncher;
  readonly board: RunBoard;
  readonly client: KubeClient;
  readonly proxy: KubeFaultProxy;
  readonly registry: Registry;
  readonly logged: { readonly message: string; readonly facts: LogFacts }[];
}

/** What a container of a pod is made to say. */
export type Said =
  | { readonly kind: 'running' }
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'ended'; readonly exitCode: number; readonly reason?: string };

/** What a pod is made to say, beside its phase. */
export interface SaidOfPod {
  readonly preflight?: Said;
  readonly agent?: Said;
  /** A container that somebody else put beside the agent. */
  readonly sidecar?: Said;
  readonly reason?: string;
  readonly message?: string;
  readonly conditions?: readonly { type: string; status: string; reason?: string; message?: string }[];
}

/**
 * A real API server with the real Job controller, and no kubelet: pods are made, and what becomes of them is written by
 * hand into their status. What the Jobs say of that is Kubernetes' own doing.
 */
export class KubeStage implements AsyncDisposable {
  readonly access: KubeAccess;
  readonly client: KubeClient;
  readonly kubeconfigPath: string;
  readonly namespace: string;
  readonly settings: KubeLauncherSettings;
  readonly #ending = new AbortController();
  readonly #launchers: StagedLauncher[] = [];

  private constructor(access: KubeAccess, kubeconfigPath: string, namespace: string) {
    this.access = access;
    this.kubeconfigPath = kubeconfigPath;
    this.namespace = namespace;
    this.client = createKubeClient({ access, qps: 1000, burst: 1000 });
    this.settings = { ...jobSettings, namespace, graceSeconds: 1, ...shortTimes };
  }

  static async open(): Promise<KubeStage> {
    const cluster = await useCluster({
      name: 'tests',
      level: 'control-plane',
      signal: AbortSignal.timeout(120_000),
    });
    const access = await loadKubeAccess({ kubeconfigFile: cluster.kubeconfigPath, service: null, clock: systemClock });
    const namespace = `tasks-${randomBytes(5).toString('hex')}`;
    const stage = new KubeStage(access, cluster.kubeconfigPath, namespace);
    const limits = { signal: stage.#ending.signal };
    await stage.client.create(namespaces, { metadata: { name: namespace } }, limits);
    await stage.client.create(serviceAccounts, { metadata: { namespace, name: 'drydock-agent' } }, limits);
    return stage;
  }

  /** A launcher of its own: watches, budget, connection. `behind`: through the proxy of another one. */
  async startLauncher(
    changes: Partial<KubeLauncherSettings> = {},
    behind: KubeFaultProxy | null = null,
  ): Promise<StagedLauncher> {
    const { tls } = await this.access.credentials(false);
    const proxy = behind ?? (await startKubeFaultProxy({ server: this.access.server, tls }));
    const access = { server: proxy.url, namespace: null, credentials: async () => noCredentials };
    const client = createKubeClient({ access, qps: 1000, burst: 1000 });
    const ending = new AbortController();
    const watching = {
      client,
      namespace: this.namespace,
      labelSelector: runSelector(this.settings.instance),
      signal: ending.signal,
    };
    const heldJobs = startWatch({ ...watching, resource: jobs, project: jobFacts });
    const heldPods = startWatch({ ...watching, resource: pods, project: podFacts });
    const board = new RunBoard(heldJobs, heldPods);
    await board.ready();
    const registry = new Registry();
    const logged: StagedLauncher['logged'] = [];
    const keep = (facts: LogFacts, message: string) => {
      logged.push({ message, facts });
    };
    const log: Log = { ...silentLog, info: keep, warn: keep, error: keep, child: () => log };
    const metrics = createKubeLauncherMetrics(registry, (what) => keep({}, `alarm ${what}`));
    const settings = { ...this.settings, ...changes };
    const staged: StagedLauncher = {
      launcher: new KubeLauncher(settings, { client, board, clock: systemClock, log, metrics }),
      board,
      client,
      proxy,
      registry,
      logged,
      async [Symbol.asyncDispose]() {
        ending.abort();
        await Promise.all([heldJobs.ended, heldPods.ended]);
        client.close();
        if (behind === null) await proxy[Symbol.asyncDispose]();
      },
    };
    this.#launchers.push(staged);
    return staged;
  }

  /** A limit of the namespace, of which the API server knows: it refuses a pod as large as an agent's. */
  async limitPods(resource: typeof quotas, spec: object): Promise<AsyncDisposable> {
    const how = { signal: this.#ending.signal };
    const place = { namespace: this.namespace, name: 'limit' };
    const { object } = await this.client.create(resource, { metadata: place, spec }, how);
    const resources = { limits: { cpu: '1', memory: '1Gi' } };
    const pod = { serviceAccountName: 'drydock-agent', containers: [{ name: 'probe', image: 'probe', resources }] };
    for (let tries = 0; ; tries += 1) {
      const metadata = { namespace: this.namespace, name: `probe-${randomBytes(5).toString('hex')}` };
      try {
        await this.client.create(pods, { metadata, spec: pod }, how);
      } catch (error) {
        if (error instanceof DrydockError && ['kube.quota', 'kube.denied'].includes(error.code)) break;
        throw error;
      }
      await this.client.delete(pods, metadata, { uid: null, ...how });
      if (tries > 600) throw new Error('the API server does not know of the limit');
      await systemClock.sleep(50, this.#ending.signal);
    }
    return {
      [Symbol.asyncDispose]: async () => {
        await this.client.delete(resource, place, { uid: object.metadata.uid, ...how });
      },
    };
  }

  async jobs(): Promise<readonly KubeJob[]> {
    return (await this.client.list(jobs, { namespace: this.namespace }, { signal: this.#ending.signal })).items;
  }

  async pods(): Promise<readonly KubePod[]> {
    return (await this.client.list(pods, { namespace: this.namespace }, { signal: this.#ending.signal })).items;
  }

  /** Waits for the pod that the Job controller makes for a run. */
  async podOf(runId: string): Promise<KubePod> {
    const found = await eventually(async () =>
      (await this.pods()).find(({ metadata }) => metadata.labels['drydock.dev/run'] === runId),
    );
    return found;
  }

  /** By hand, in the stead of a kubelet: what the pod of a run and its containers say. */
  async say(runId: string, phase: string, said: SaidOfPod = {}): Promise<void> {
    const { metadata } = await this.podOf(runId);
    await this.sayPod(metadata.name, phase, said);
  }

  /** By hand, of a pod by its name. */
  async sayPod(name: string, phase: string, { preflight, agent, sidecar, ...rest }: SaidOfPod): Promise<void> {
    const containers = [
      ...(agent === undefined ? [] : [containerStatus('agent', agent)]),
      ...(sidecar === undefined ? [] : [containerStatus('istio-proxy', sidecar)]),
    ];
    const status = {
      phase,
      ...rest,
      ...(preflight === undefined ? {} : { initContainerStatuses: [containerStatus('preflight', preflight)] }),
      ...(containers.length === 0 ? {} : { containerStatuses: containers }),
    };
    const place = { namespace: this.namespace, name };
    await this.client.patch(pods, place, { status }, { subresource: 'status', signal: this.#ending.signal });
  }

  /** By hand: the preflight passed and the agent works. */
  async begin(runId: string): Promise<void> {
    await this.say(runId, 'Running', { preflight: { kind: 'ended', exitCode: 0 }, agent: { kind: 'running' } });
  }

  /** By hand: the agent ended. */
  async end(runId: string, exitCode = 0): Promise<void> {
    await this.say(runId, exitCode === 0 ? 'Succeeded' : 'Failed', {
      preflight: { kind: 'ended', exitCode: 0 },
      agent: { kind: 'ended', exitCode },
    });
  }

  /** By hand, of a pod by its name: the agent ended. */
  async endPod(name: string, exitCode: number): Promise<void> {
    await this.sayPod(name, exitCode === 0 ? 'Succeeded' : 'Failed', { agent: { kind: 'ended', exitCode } });
  }

  /** By hand: a node takes the pod, so that it needs a kubelet's word to go. There is no such node. */
  async bind(runId: string, node = 'nowhere'): Promise<void> {
    const { metadata } = await this.podOf(runId);
    const binding = defineResource<{ metadata: ObjectMetadata }, Manifest & { readonly target: object }>({
      group: '',
      version: 'v1',
      plural: `pods/${metadata.name}/binding`,
      kind: 'Binding',
      isNamespaced: true,
      schema: z.object({}).transform(() => ({ metadata: ObjectMetadata.parse(metadata) })),
    });
    await this.client.create(
      binding,
      {
        metadata: { namespace: this.namespace, name: metadata.name },
        target: { apiVersion: 'v1', kind: 'Node', name: node },
      },
      { signal: this.#ending.signal },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const launcher of this.#launchers) await launcher[Symbol.asyncDispose]();
    await this.client.delete(namespaces, { name: this.namespace }, { uid: null, signal: AbortSignal.timeout(60_000) });
    this.#ending.abort();
    this.client.close();
  }
}

const noCredentials = { headers: {}, tls: {}, tlsVersion: '' };

const shortTimes = {
  pendingLimitMs: 60_000,
  startLimitMs: 60_000,
  pullGraceMs: 60_000,
  settleMs: 2_000,
  fenceMs: 1_000,
};

function containerStatus(name: string, said: Said): object {
  const common = { name, ready: said.kind === 'running', restartCount: 0, image: 'x', imageID: 'x', lastState: {} };
  const nowText = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  switch (said.kind) {
    case 'running':
      return { ...common, started: true, state: { running: { startedAt: nowText } } };
    case 'waiting':
      return { ...common, started: false, state: { waiting: { reason: said.reason } } };
    case 'ended': {
      const { exitCode, reason = exitCode === 0 ? 'Completed' : 'Error' } = said;
      const terminated = { exitCode, reason, startedAt: nowText, finishedAt: nowText };
      return { ...common, started: false, state: { terminated } };
    }
  }
}

/** Waits for what the cluster does by itself. */
export async function eventually<T>(look: () => Promise<T | undefined | false>, timeoutMs = 60_000): Promise<T> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (systemClock.monotonicMs() > endMs) throw new Error(`it did not come to pass: ${look.toString()}`);
    await systemClock.sleep(20, new AbortController().signal);
  }
}
