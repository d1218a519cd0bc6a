/** The world of the benchmarks of Kubernetes: a real API server with its Job controller, a Redis, and no node. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { Secret, silentLog, systemClock, type RunId, type TaskId, type TaskRequest } from '@drydock/core';
import {
  createKubeClient,
  defineResource,
  loadKubeAccess,
  ObjectMetadata,
  pods,
  startWatch,
  type KubeClient,
  type Manifest,
} from '@drydock/kube';
import { connectRedisTaskQueue, type RedisTaskQueue } from '@drydock/queue';
import { startProcess, startRedisServer, type RedisServer } from '@drydock/testkit';
import { z } from 'zod';
import { useCluster, type Cluster } from '../cluster/start-cluster.ts';
import { startBenchGateway, type BenchGateway } from './kube-gateway.ts';

const never = new AbortController().signal;
const qps = 100_000;

/** An object as it is on the wire. */
const whole = (group: string, version: string, plural: string, kind: string, isNamespaced = true) =>
  defineResource<{ metadata: ObjectMetadata; spec?: unknown }, Manifest & { readonly spec?: unknown }>({
    group,
    version,
    plural,
    kind,
    isNamespaced,
    schema: z.looseObject({ metadata: ObjectMetadata, spec: z.unknown().optional() }),
  });
export const wholeJobs = whole('batch', 'v1', 'jobs', 'Job');
const namespaces = whole('', 'v1', 'namespaces', 'Namespace', false);
const serviceAccounts = whole('', 'v1', 'serviceaccounts', 'ServiceAccount');

/** What all rounds share. */
export class KubeWorld implements AsyncDisposable {
  readonly client: KubeClient;
  readonly #cluster: Cluster;
  readonly #redis: RedisServer;
  readonly #stack: AsyncDisposableStack;
  #rounds = 0;

  private constructor(cluster: Cluster, client: KubeClient, redis: RedisServer, stack: AsyncDisposableStack) {
    this.#cluster = cluster;
    this.client = client;
    this.#redis = redis;
    this.#stack = stack;
  }

  static async open(): Promise<KubeWorld> {
    await using stack = new AsyncDisposableStack();
    const signal = AbortSignal.timeout(120_000);
    const cluster = await useCluster({ name: 'bench', level: 'control-plane', isFresh: true, signal });
    stack.defer(() => cluster.stop());
    const access = await loadKubeAccess({ kubeconfigFile: cluster.kubeconfigPath, service: null, clock: systemClock });
    const client = createKubeClient({ access, qps, burst: qps });
    stack.defer(() => {
      client.close();
    });
    const redis = stack.use(await startRedisServer());
    return new KubeWorld(cluster, client, redis, stack.move());
  }

  /** A namespace, a queue and a gateway that nothing has happened in. */
  async openRound(gatewayLatencyMs: number): Promise<KubeRound> {
    this.#rounds += 1;
    return KubeRound.open({
      client: this.client,
      kubeconfig: this.#cluster.kubeconfigPath,
      redisUrl: `${this.#redis.url}/${String(this.#rounds)}`,
      gatewayLatencyMs,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** A scheduler's process, and what it costs. */
export interface MeasuredScheduler extends AsyncDisposable {
  cpuMs(): Promise<number>;
  memoryMb(): Promise<number>;
}

/** One installation: what happens in it is seen by nobody else. */
export class KubeRound implements AsyncDisposable {
  readonly client: KubeClient;
  readonly namespace = `bench-${randomBytes(4).toString('hex')}`;
  readonly queue: RedisTaskQueue;
  readonly gateway: BenchGateway;
  readonly #settings: { readonly kubeconfig: string; readonly redisUrl: string };
  readonly #stack: AsyncDisposableStack;
  /** The cluster goes with it: nothing of it needs to be removed. */
  isLast = false;
  readonly #seenMs = new Map<TaskId, number>();
  readonly #onSeen = new Set<() => void>();

  private constructor(
    client: KubeClient,
    queue: RedisTaskQueue,
    gateway: BenchGateway,
    settings: { readonly kubeconfig: string; readonly redisUrl: string },
    stack: AsyncDisposableStack,
  ) {
    this.client = client;
    this.queue = queue;
    this.gateway = gateway;
    this.#settings = settings;
    this.#stack = stack;
  }

  static async open(settings: {
    readonly client: KubeClient;
    readonly kubeconfig: string;
    readonly redisUrl: string;
    readonly gatewayLatencyMs: number;
  }): Promise<KubeRound> {
    const { client, gatewayLatencyMs, redisUrl } = settings;
    await using stack = new AsyncDisposableStack();
    const gateway = stack.use(await startBenchGateway(gatewayLatencyMs));
    const queue = await connectRedisTaskQueue({ url: new Secret(redisUrl), log: silentLog });
    stack.defer(() => queue.close());
    const round = new KubeRound(client, queue, gateway, settings, stack.move());
    await client.create(namespaces, { metadata: { name: round.namespace } }, { signal: never });
    const account = { namespace: round.namespace, name: 'drydock-agent' };
    await client.create(serviceAccounts, { metadata: account }, { signal: never });
    await round.#watch();
    return round;
  }

  /** When the Job of a task was first seen by somebody who watches Jobs; by `performance.now()`. */
  seenMs(taskId: TaskId): number | undefined {
    return this.#seenMs.get(taskId);
  }

  /** Waits until so many Jobs were seen. */
  async jobsSeen(count: number): Promise<void> {
    while (this.#seenMs.size < count) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const look = () => {
        resolve(undefined);
      };
      this.#onSeen.add(look);
      await promise;
      this.#onSeen.delete(look);
    }
  }

  /** The real scheduler, with no limit on its calls. */
  async startScheduler(): Promise<MeasuredScheduler> {
    const started = startProcess(new URL('../packages/scheduler/src/main.ts', import.meta.url), {
      PATH: process.env['PATH'] ?? '',
      NODE_OPTIONS: await imageNodeOptions(),
      KUBECONFIG: this.#settings.kubeconfig,
      DRYDOCK_LAUNCHER: 'kube',
      DRYDOCK_REDIS_URL: this.#settings.redisUrl,
      DRYDOCK_GATEWAY_URL: this.gateway.url,
      DRYDOCK_CONTROL_TOKEN: this.gateway.controlToken,
      DRYDOCK_SCHEDULER_HOST: '127.0.0.1',
      DRYDOCK_SCHEDULER_PORT: '0',
      DRYDOCK_MAX_RUNNING: '5000',
      DRYDOCK_KUBE_NAMESPACE: this.namespace,
      DRYDOCK_KUBE_CONTROL_NAMESPACE: this.namespace,
      DRYDOCK_KUBE_QPS: String(qps),
      DRYDOCK_KUBE_BURST: String(qps),
      DRYDOCK_AGENT_IMAGE: 'localhost/drydock/agent:bench',
      DRYDOCK_PREFLIGHT_IMAGE: 'localhost/drydock/preflight:bench',
      DRYDOCK_AGENT_GATEWAY_IP: '10.96.0.81',
      DRYDOCK_PREFLIGHT_HARD: '10.96.0.1:443',
      DRYDOCK_PENDING_LIMIT_SECONDS: '3600',
      DRYDOCK_START_ALLOWANCE_SECONDS: '3600',
    });
    const { port } = await started.logged('scheduler started');
    const metric = async (name: string) => {
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
      return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
    };
    return {
      cpuMs: async () => (await metric('process_cpu_seconds_total')) * 1000,
      memoryMb: async () => (await metric('process_resident_memory_bytes')) / 1e6,
      async [Symbol.asyncDispose]() {
        started.kill('SIGTERM');
        await started.ended;
        await started[Symbol.asyncDispose]();
      },
    };
  }

  /** A merge request was opened: the event as the server puts it into the queue. */
  async enqueue(serial: number): Promise<void> {
    const times = { debounceMs: 0, maxDebounceMs: 0 };
    await this.queue.enqueue(anEvent(serial), { deliveryKeys: [`delivery-${String(serial)}`], ...times });
  }

  /** In the stead of a kubelet: agents begin at once, hand in a result after a while, and end. */
  runAgents(workMs: number): void {
    const ending = new AbortController();
    this.#stack.defer(() => {
      ending.abort();
    });
    const held = startWatch({
      client: this.client,
      resource: pods,
      namespace: this.namespace,
      project: ({ metadata }) => ({ name: metadata.name, runId: metadata.labels['drydock.dev/run'] ?? '' }),
      signal: ending.signal,
    });
    held.onChange((change) => {
      if (change.kind === 'set' && change.previous === null) void this.#runAgent(change.value, workMs, ending.signal);
    });
  }

  async #runAgent(pod: { readonly name: string; readonly runId: RunId }, workMs: number, signal: AbortSignal) {
    const say = (phase: string, agent: object) =>
      this.client.patch(
        pods,
        { namespace: this.namespace, name: pod.name },
        {
          status: {
            phase,
            initContainerStatuses: [container('preflight', { terminated: { exitCode: 0, reason: 'Completed' } })],
            containerStatuses: [container('agent', agent)],
          },
        },
        { subresource: 'status', signal },
      );
    try {
      await say('Running', { running: {} });
      await systemClock.sleep(workMs, signal);
      this.gateway.submit(pod.runId);
      await say('Succeeded', { terminated: { exitCode: 0, reason: 'Completed' } });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #watch(): Promise<void> {
    const ending = new AbortController();
    this.#stack.defer(() => {
      ending.abort();
    });
    const held = startWatch({
      client: this.client,
      resource: wholeJobs,
      namespace: this.namespace,
      project: ({ metadata }) => metadata.annotations['drydock.dev/task-id'] ?? metadata.name,
      signal: ending.signal,
    });
    held.onChange((change) => {
      if (change.kind !== 'set' || this.#seenMs.has(change.value)) return;
      this.#seenMs.set(change.value, performance.now());
      for (const tell of this.#onSeen) tell();
    });
    await held.ready;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    if (!this.isLast) await removeAll(this.client, this.namespace);
  }
}

/** What the image of the scheduler starts Node with. */
async function imageNodeOptions(): Promise<string> {
  const dockerfile = await readFile(new URL('../Dockerfile', import.meta.url), 'utf8');
  const [, stage = ''] = dockerfile.split('FROM base AS scheduler');
  const [, options] = /^ENV NODE_OPTIONS=(\S+)$/m.exec(stage.split('\nFROM ')[0] ?? '') ?? [];
  if (options === undefined) throw new Error('the image of the scheduler sets no NODE_OPTIONS');
  return options;
}

/** Waits until nothing of the round is left: its removal must not fall into the next one's time. */
async function removeAll(client: KubeClient, namespace: string): Promise<void> {
  await client.delete(namespaces, { name: namespace }, { uid: null, signal: never });
  while ((await client.read(namespaces, { name: namespace }, { signal: never })) !== null) {
    await systemClock.sleep(500, never);
  }
}

/** What Node with nothing to do holds in memory, in MB. */
export async function bareNodeMb(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'process.stdout.write(String(process.memoryUsage.rss()))'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return Number(text) / 1e6;
}

const projects = 100;

function anEvent(serial: number): TaskRequest {
  const project = serial % projects;
  return {
    v: 1,
    kind: 'review',
    subject: { forge: 'gitlab', projectId: String(project + 1), iid: Math.floor(serial / projects) + 1 },
    projectPath: `group/project-${String(project + 1)}`,
    trigger: 'opened',
    headSha: 'a'.repeat(40),
    occurredAtMs: null,
    command: null,
  };
}

function container(name: string, state: object): object {
  return { name, ready: false, restartCount: 0, image: 'x', imageID: 'x', lastState: {}, state };
}
