import { ConfigError, systemClock, type Log, type ReachPoint } from '@drydock/core';
import {
  createKubeClient,
  createKubeMetrics,
  jobs,
  kubePlace,
  loadKubeAccess,
  pods,
  startElection,
  startWatch,
  type Election,
  type KubeClient,
} from '@drydock/kube';
import type { SweepLock, TaskQueue } from '@drydock/queue';
import type { Registry } from 'prom-client';
import type { Gateway } from './gateway.ts';
import type { KubeConfig } from './kube-config.ts';
import { runSelector } from './launchers/kube/job-labels.ts';
import { KubeLauncher, type KubeLauncherSettings } from './launchers/kube/kube-launcher.ts';
import { createKubeLauncherMetrics } from './launchers/kube/kube-launcher-metrics.ts';
import { RunBoard } from './launchers/kube/run-board.ts';
import { jobFacts, podFacts } from './launchers/kube/run-facts.ts';
import { PodSettings } from './launchers/pod-settings.ts';
import { createReapMetrics } from './reap/reap-metrics.ts';
import { runReapLoop } from './reap/reap-loop.ts';

/** What a scheduler has of its cluster. */
export interface RunningKube {
  readonly launcher: KubeLauncher;
  readonly client: KubeClient;
  readonly election: Election;
  readonly pod: PodSettings;
  /** Held by the elected leader instead of by a lock in the store. */
  readonly sweepLock: SweepLock;
  /** How old what is held of the cluster may be. */
  ageMs(): number;
  /** Settles when nothing of it runs any more; rejects with a bug. */
  readonly ended: Promise<void>;
  /** Gives up the lead at once; the watches end with the last task, at `close`. */
  retire(): void;
  close(): Promise<void>;
}

/** What it works with. */
export interface KubePorts {
  readonly queue: TaskQueue;
  readonly gateway: Gateway;
  readonly registry: Registry;
  readonly log: Log;
  readonly alarm: (what: string) => void;
  /** Names this process, unlike any other and any earlier one. */
  readonly identity: string;
  readonly reach?: ReachPoint | undefined;
}

/** Connects to the cluster, and resolves when all Jobs and pods of this installation are known. */
export async function startKube(config: KubeConfig, ports: KubePorts): Promise<RunningKube> {
  const settings = launcherSettings(config);
  const { queue, gateway, registry, log, reach } = ports;
  const clock = systemClock;
  const metrics = createKubeMetrics(registry);
  const access = await loadKubeAccess({ ...kubePlace(config), clock });
  const client = createKubeClient({ access, qps: config.kubeQps, burst: config.kubeBurst, metrics });
  const [leading, watching] = [new AbortController(), new AbortController()];
  const { namespace, instance } = settings;
  const watch = { client, namespace, labelSelector: runSelector(instance), signal: watching.signal, metrics, log };
  const heldJobs = startWatch({ ...watch, resource: jobs, project: jobFacts });
  const heldPods = startWatch({ ...watch, resource: pods, project: podFacts });
  const board = new RunBoard(heldJobs, heldPods);
  const election = startElection({
    client,
    namespace: config.kubeControlNamespace,
    name: `${instance}-scheduler`,
    identity: ports.identity,
    signal: leading.signal,
    metrics,
    log,
  });
  await board.ready();
  const reaping = runReapLoop(
    {
      ...{ client, queue, gateway, clock, log },
      jobs: () => board.jobs(),
      isLeader: () => election.isLeader(),
      metrics: createReapMetrics(registry),
    },
    {
      ...{ namespace, instance },
      everyMs: config.reapEverySeconds * 1000,
      ageFloorMs: config.reapAgeSeconds * 1000,
      orphanAgeMs: config.orphanAgeSeconds * 1000,
      mostFinished: config.keepFinishedJobs,
    },
    leading.signal,
  );
  const launcherMetrics = createKubeLauncherMetrics(registry, ports.alarm);
  const ended = Promise.all([reaping, election.ended]).then(() => undefined);
  ended.catch(() => undefined); // whoever waits for it sees the error
  return {
    launcher: new KubeLauncher(settings, { client, board, clock, log, metrics: launcherMetrics, reach }),
    ...{ client, election, ended },
    pod: podSettings(config),
    sweepLock: { hold: async () => election.isLeader(), release: async () => undefined },
    ageMs: () => board.ageMs(),
    retire: () => {
      leading.abort();
    },
    close: async () => {
      leading.abort();
      await ended;
      watching.abort();
      await Promise.all([heldJobs.ended, heldPods.ended]);
      client.close();
    },
  };
}

function launcherSettings(config: KubeConfig): KubeLauncherSettings {
  const { agentImage, preflightImage, agentGatewayIp, preflightHard, preflightPosture } = config;
  const missing = [
    ...(agentImage === undefined ? ['DRYDOCK_AGENT_IMAGE'] : []),
    ...(preflightImage === undefined ? ['DRYDOCK_PREFLIGHT_IMAGE'] : []),
    ...(agentGatewayIp === undefined ? ['DRYDOCK_AGENT_GATEWAY_IP'] : []),
    ...(preflightHard.length === 0 ? ['DRYDOCK_PREFLIGHT_HARD'] : []),
  ];
  if (agentImage === undefined || preflightImage === undefined || agentGatewayIp === undefined || missing.length > 0) {
    const lines = missing.map((name) => `\n  ${name} (not set): the Kubernetes launcher needs it`);
    throw new ConfigError(`Wrong settings:${lines.join('')}`);
  }
  return {
    namespace: config.kubeNamespace,
    instance: config.kubeInstance,
    agentImage,
    preflightImage,
    imagePullPolicy: config.imagePullPolicy,
    imagePullSecrets: config.imagePullSecrets,
    serviceAccountName: config.agentServiceAccount,
    gatewayUrl: config.agentGatewayUrl,
    gatewayIp: agentGatewayIp,
    preflightTargets: { hard: preflightHard, posture: preflightPosture },
    // What a pod may wait for is not taken from the time of its agent.
    startAllowanceSeconds: config.pendingLimitSeconds + config.startAllowanceSeconds + 2 * config.pullGraceSeconds,
    graceSeconds: config.podGraceSeconds,
    keepSeconds: config.keepJobSeconds,
    pendingLimitMs: config.pendingLimitSeconds * 1000,
    startLimitMs: config.startAllowanceSeconds * 1000,
    pullGraceMs: config.pullGraceSeconds * 1000,
    settleMs,
    fenceMs: config.fenceSeconds * 1000,
  };
}

const settleMs = 5_000;

function podSettings(config: KubeConfig): PodSettings {
  return PodSettings.parse({
    cpu: config.podCpu,
    memory: config.podMemory,
    ephemeralStorage: config.podEphemeralStorage,
    workSize: config.podWorkSize,
    memoryAfterOom: config.podMemoryAfterOom ?? null,
    runtimeClassName: config.podRuntimeClass ?? null,
    priorityClassName: config.podPriorityClass ?? null,
    hostUsers: config.podHostUsers,
  });
}
