import { Secret, silentLog } from '@drydock/core';
import { connectRedisTaskQueue, type TaskQueue } from '@drydock/queue';
import { startProcess, startRedisServer, type RedisServer, type StartedProcess } from '@drydock/testkit';
import type { KubeStage } from './kube-stage.ts';
import { controlToken, serveGateway, type ServedGateway } from './serve-gateway.ts';
import { WorldGateway } from './world-gateway.ts';

const main = new URL('../main.ts', import.meta.url);

/** How long a silent scheduler keeps its tasks in these tests. */
export const leaseTtlMs = 5000;

/** Schedulers as processes, on a real API server and a Redis of their own, before a gateway that tests look into. */
export class ClusterSchedulers implements AsyncDisposable {
  readonly queue: TaskQueue;
  readonly world: WorldGateway;
  readonly #stage: KubeStage;
  readonly #redis: RedisServer;
  readonly #gateway: ServedGateway;
  readonly #processes: StartedProcess[] = [];

  private constructor(
    stage: KubeStage,
    redis: RedisServer,
    queue: TaskQueue,
    served: { readonly world: WorldGateway; readonly gateway: ServedGateway },
  ) {
    this.#stage = stage;
    this.#redis = redis;
    this.queue = queue;
    this.world = served.world;
    this.#gateway = served.gateway;
  }

  get redisUrl(): string {
    return this.#redis.url;
  }

  static async open(stage: KubeStage): Promise<ClusterSchedulers> {
    const redis = await startRedisServer({ config: { appendonly: 'no' } });
    const queue = await connectRedisTaskQueue({ url: new Secret(redis.url), log: silentLog, commandTimeoutMs: 60_000 });
    const world = new WorldGateway();
    world.grant = (request) => ({ kind: 'to-exchange', runId: world.record(request), deadlineSeconds: 600 });
    return new ClusterSchedulers(stage, redis, queue, { world, gateway: await serveGateway(world) });
  }

  /** Resolves when it leases. */
  async start(changes: Record<string, string> = {}): Promise<StartedProcess> {
    const process = startProcess(main, {
      NODE_ENV: 'test',
      DRYDOCK_REDIS_URL: this.#redis.url,
      DRYDOCK_GATEWAY_URL: this.#gateway.url,
      DRYDOCK_CONTROL_TOKEN: controlToken,
      DRYDOCK_SCHEDULER_HOST: '127.0.0.1',
      DRYDOCK_SCHEDULER_PORT: '0',
      DRYDOCK_LEASE_TTL_MS: String(leaseTtlMs),
      DRYDOCK_POLL_MS: '200',
      DRYDOCK_SWEEP_EVERY_MS: '0',
      DRYDOCK_LAUNCHER: 'kube',
      KUBECONFIG: this.#stage.kubeconfigPath,
      DRYDOCK_KUBE_NAMESPACE: this.#stage.namespace,
      DRYDOCK_KUBE_CONTROL_NAMESPACE: this.#stage.namespace,
      DRYDOCK_AGENT_IMAGE: 'agent',
      DRYDOCK_PREFLIGHT_IMAGE: 'preflight',
      DRYDOCK_AGENT_GATEWAY_IP: '10.96.0.7',
      DRYDOCK_PREFLIGHT_HARD: '10.96.0.1:443',
      DRYDOCK_REAP_EVERY_SECONDS: '1',
      DRYDOCK_REAP_AGE_SECONDS: '1',
      DRYDOCK_POD_GRACE_SECONDS: '1',
      ...changes,
    });
    this.#processes.push(process);
    await process.logged('scheduler started');
    return process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]();
    await this.#gateway[Symbol.asyncDispose]();
    await this.queue.close();
    await this.#redis[Symbol.asyncDispose]();
  }
}
