import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, jest } from '@jest/globals';
import { silentLog, systemClock } from '@drydock/core';
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
} from '@drydock/kube';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { bringProgram, useCluster, type Cluster } from '../../../../../cluster/start-cluster.ts';
import { jobSettings } from '../../testing/job-settings.ts';
import {
  launcherContract,
  type AgentBehaviour,
  type GivenToAgent,
  type LauncherUnderTest,
} from '../launcher.contract.ts';
import { runSelector } from './job-labels.ts';
import { createKubeLauncherMetrics } from './kube-launcher-metrics.ts';
import { KubeLauncher } from './kube-launcher.ts';
import { RunBoard } from './run-board.ts';
import { jobFacts, podFacts } from './run-facts.ts';

jest.setTimeout(240_000);

const silenceMs = 1_000;
const program = join(import.meta.dirname, '..', '..', 'testing', 'contract-pod.ts');
const Given = z.object({
  surroundings: z.string(),
  environmentNames: z.array(z.string()),
  token: z.string(),
  tokenFileMode: z.int(),
  folder: z.string(),
});
const plain = (plural: string, kind: string, isNamespaced: boolean) =>
  defineResource({
    ...{ group: '', version: 'v1', plural, kind, isNamespaced },
    schema: z.object({ metadata: ObjectMetadata }),
  });
const never = new AbortController().signal;

const tokenOf = (runId: string) => `token-of-${runId}`;

/** What pods talk to in the stead of a gateway. */
class PodHearer {
  behaviour: AgentBehaviour = { kind: 'obeys' };
  given: GivenToAgent[] = [];
  readonly heard = new Set<string>();
  lastBeatMs = -Infinity;

  serve(): Server {
    return createServer((request, response) => {
      const [, what = '', name = ''] = (request.url ?? '').split('/');
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        if (what === 'given') this.given.push(Given.parse(JSON.parse(text)));
        if (what === 'beat') {
          this.heard.add(name);
          this.lastBeatMs = performance.now();
        }
        response.end(what === 'token' ? tokenOf(name) : what === 'behaviour' ? JSON.stringify(this.behaviour) : '');
      });
    });
  }
}

describe('KubeLauncher, with real pods', () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let access: KubeAccess;
  let client: KubeClient;
  let image: string;
  let gateway: { readonly host: string; readonly port: number };
  const hearer = new PodHearer();

  beforeAll(async () => {
    const signal = AbortSignal.timeout(180_000);
    cluster = await useCluster({ name: 'launcher', level: 'full', signal });
    stack.defer(() => cluster.stop());
    const { node } = cluster;
    if (node === null) throw new Error('this test needs a node of its own');
    image = await bringProgram(node, { name: 'localhost/drydock-test/contract', program }, signal);
    const inside = await node.listen('world');
    const server = hearer.serve().listen(inside.handle);
    stack.defer(() => {
      server.closeAllConnections();
      server.close();
      inside.handle.close();
    });
    gateway = inside;
    access = await loadKubeAccess({ kubeconfigFile: cluster.kubeconfigPath, service: null, clock: systemClock });
    client = createKubeClient({ access, qps: 1000, burst: 1000 });
    stack.defer(() => {
      client.close();
    });
  }, 240_000);
  afterAll(() => stack.disposeAsync(), 60_000);

  async function makeLauncher(behaviour: AgentBehaviour | null): Promise<LauncherUnderTest> {
    await using own = new AsyncDisposableStack();
    const namespace = `tasks-${randomBytes(5).toString('hex')}`;
    await client.create(plain('namespaces', 'Namespace', false), { metadata: { name: namespace } }, { signal: never });
    own.defer(async () => {
      const signal = AbortSignal.timeout(10_000);
      await client.delete(plain('namespaces', 'Namespace', false), { name: namespace }, { uid: null, signal });
    });
    const account = { metadata: { namespace, name: 'drydock-agent' } };
    await client.create(plain('serviceaccounts', 'ServiceAccount', true), account, { signal: never });
    hearer.behaviour = behaviour ?? { kind: 'obeys' };
    hearer.given = [];
    hearer.heard.clear();
    const settings = {
      ...jobSettings,
      ...{ namespace, agentImage: behaviour === null ? `${image}-not` : image, preflightImage: image },
      gatewayUrl: `http://gateway.drydock.internal:${String(gateway.port)}`,
      gatewayIp: gateway.host,
      graceSeconds: 2,
      ...{ pendingLimitMs: 120_000, startLimitMs: 120_000, pullGraceMs: 3_000, settleMs: 5_000, fenceMs: 10_000 },
    };
    const launcher = async () => {
      const ending = new AbortController();
      const watching = { client, namespace, labelSelector: runSelector(settings.instance), signal: ending.signal };
      const heldJobs = startWatch({ ...watching, resource: jobs, project: jobFacts });
      const heldPods = startWatch({ ...watching, resource: pods, project: podFacts });
      own.defer(async () => {
        ending.abort();
        await Promise.all([heldJobs.ended, heldPods.ended]);
      });
      const board = new RunBoard(heldJobs, heldPods);
      await board.ready();
      const metrics = createKubeLauncherMetrics(new Registry(), () => undefined);
      return new KubeLauncher(settings, { client, board, clock: systemClock, log: silentLog, metrics });
    };
    const [first, successor] = [await launcher(), await launcher()];
    const kept = own.move();
    const left = async () => [
      ...(await client.list(jobs, { namespace }, { signal: never })).items,
      ...(await client.list(pods, { namespace }, { signal: never })).items,
    ];
    return {
      launcher: first,
      successor,
      exchangedToken: tokenOf,
      async atWork(count) {
        while (hearer.heard.size < count) await systemClock.sleep(50, never);
      },
      async isAnythingAlive() {
        const fromMs = performance.now();
        await systemClock.sleep(silenceMs, never); // the dead cannot be waited for otherwise
        return hearer.lastBeatMs > fromMs;
      },
      given: () => Promise.resolve(hearer.given),
      /** What was asked to go goes in its time: a Job first, its pod then, by Kubernetes' garbage collector. */
      async leftovers() {
        for (let looks = 0; looks < 100 && (await left()).length > 0; looks += 1) await systemClock.sleep(200, never);
        return (await left()).map(({ metadata }) => metadata.name);
      },
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  }

  launcherContract(makeLauncher, [
    'DRYDOCK_GATEWAY_URL',
    'DRYDOCK_RUN_TOKEN_FILE',
    'DRYDOCK_WORK_DIR',
    'HOME',
    // By the image and by Kubernetes itself.
    ...['PATH', 'NODE_VERSION', 'HOSTNAME'],
    ...['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT', 'KUBERNETES_SERVICE_PORT_HTTPS', 'KUBERNETES_PORT'],
    ...['KUBERNETES_PORT_443_TCP', 'KUBERNETES_PORT_443_TCP_PROTO', 'KUBERNETES_PORT_443_TCP_PORT'],
    'KUBERNETES_PORT_443_TCP_ADDR',
  ]);
});
