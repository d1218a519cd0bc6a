import { createServer } from 'node:http';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClusterNode } from './cluster-node.ts';
import { busyboxImage } from './images.ts';
import type { Level } from './levels.ts';
import { otherRuntimeHandler } from './node-plan.ts';
import { run } from './run.ts';
import { startCluster, stopCluster, type Cluster } from './start-cluster.ts';
import { leftovers, nothing, testName, testPrograms, whyNotStarted } from './testing/test-cluster.ts';

const minutes = 60_000;

/** A cluster with what these tests do to it. */
class TestNode {
  readonly cluster: Cluster;
  readonly node: ClusterNode;

  constructor(cluster: Cluster) {
    if (cluster.node === null) throw new Error('this level has a node');
    this.cluster = cluster;
    this.node = cluster.node;
  }

  async kubectl(args: readonly string[], input?: object): Promise<string> {
    const kubectl = testPrograms('control-plane').path('kubectl');
    const { stdout, stderr } = await run(kubectl, ['--kubeconfig', this.cluster.kubeconfigPath, ...args], {
      ...(input === undefined ? {} : { input: JSON.stringify(input) }),
    });
    return `${stdout}${stderr}`.trim();
  }

  async apply(...items: readonly object[]): Promise<void> {
    const answer = await this.kubectl(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
    if (!/created|configured|unchanged/.test(answer)) throw new Error(answer);
  }

  /** Runs a shell command in a pod of its own and returns what it wrote. */
  async runPod(name: string, command: string, spec: object = {}): Promise<string> {
    const container = { name: 'main', image: busyboxImage, command: ['sh', '-c', command] };
    const pod = { restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers: [container], ...spec };
    await this.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: pod });
    await this.kubectl(['wait', `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=90s']);
    return this.kubectl(['logs', name]);
  }
}

const start = async (name: string, level: Level): Promise<TestNode> =>
  new TestNode(
    await startCluster({ name, level, programs: testPrograms(level), signal: AbortSignal.timeout(3 * minutes) }),
  );

/** Tells for each try whether it came through, from the first instruction of the pod on. */
const tries = (host: string, port: number) =>
  `for i in 1 2 3 4 5; do nc -w 1 ${host} ${port} </dev/null >/dev/null 2>&1 && echo through || echo stopped; done`;

const denyAll = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny-all' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
};

describe.each([
  { level: 'full' as const, does: 'stops the first packet of a new pod', under: 'stopped' },
  { level: 'bridge' as const, does: 'enforces no policy, as what must be noticed does', under: 'through' },
])('a $level node', ({ level, does, under }) => {
  const isHere = whyNotStarted(level) === null;
  const test = isHere ? it : it.skip;
  const name = testName(level);
  let cluster: TestNode;
  beforeAll(async () => {
    if (isHere) cluster = await start(name, level);
  }, 4 * minutes);
  afterAll(() => stopCluster(name, AbortSignal.timeout(minutes)), 2 * minutes);

  test(
    'is ready, and runs a pod',
    async () => {
      const ready = await cluster.kubectl([
        'get',
        'node',
        'node0',
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
      ]);
      const output = await cluster.runPod('hello', 'echo hello from $(hostname)');

      expect(ready).toBe('True');
      expect(output).toBe('hello from hello');
    },
    3 * minutes,
  );

  test(
    does,
    async () => {
      const listener = await cluster.node.listen('world');
      const server = createServer((_request, response) => response.end('here')).listen(listener.handle);
      const before = await cluster.runPod('before', tries(listener.host, listener.port));
      await cluster.apply(denyAll);

      const after = await cluster.runPod('after', tries(listener.host, listener.port));
      await cluster.kubectl(['delete', 'networkpolicy', 'deny-all']);
      server.close();

      expect(before).toBe(Array(5).fill('through').join('\n'));
      expect(after).toBe(Array(5).fill(under).join('\n'));
    },
    3 * minutes,
  );

  test(
    'lets pods reach a Service, and through it the API server',
    async () => {
      const output = await cluster.runPod(
        'services',
        'nc -w 3 $KUBERNETES_SERVICE_HOST 443 </dev/null && echo through',
      );

      expect(output).toBe('through');
    },
    3 * minutes,
  );

  if (level === 'full') {
    test(
      'runs a server of this process where pods find it, also at addresses of the internet',
      async () => {
        const listener = await cluster.node.listen('world');
        const seen: string[] = [];
        const server = createServer((request, response) => {
          seen.push(request.url ?? '');
          response.end('a fake of this test\n');
        }).listen(listener.handle);
        const get = (host: string) =>
          `printf 'GET /from-${host} HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${host} ${listener.port} | tail -n 1`;

        const output = await cluster.runPod(
          'client',
          `${get(listener.host)}; ${get('203.0.113.7')}; ${get('169.254.169.254')}`,
        );
        server.close();

        expect(output).toBe(Array(3).fill('a fake of this test').join('\n'));
        expect(seen).toEqual([`/from-${listener.host}`, '/from-203.0.113.7', '/from-169.254.169.254']);
      },
      3 * minutes,
    );

    test(
      'runs a program in its networks, and opens a way to it',
      async () => {
        const script = `require('net').createServer((s) => s.end('inside')).listen(7000, '172.30.0.1', () => console.log('on'))`;
        const program = cluster.node.spawn('world', process.execPath, ['-e', script]);
        if (program.stdout === null) throw new Error('no output');
        await once(program.stdout, 'data');

        await using forward = await cluster.node.forward('world', '172.30.0.1', 7000);
        const { stdout } = await run('bash', ['-c', `cat < /dev/tcp/127.0.0.1/${forward.port}`]);
        program.kill('SIGKILL');

        expect(stdout).toBe('inside');
      },
      3 * minutes,
    );

    test(
      'lets no packet out of the machine',
      async () => {
        const output = await cluster.runPod('outwards', `${tries('1.1.1.1', 80)}; ip route | head -1`);

        expect(output.match(/through/)).toBeNull();
      },
      3 * minutes,
    );

    test(
      'runs a pod of another runtime class',
      async () => {
        const metadata = { name: 'another' };
        await cluster.apply({
          apiVersion: 'node.k8s.io/v1',
          kind: 'RuntimeClass',
          metadata,
          handler: otherRuntimeHandler,
        });

        const output = await cluster.runPod('elsewhere', 'echo in another', { runtimeClassName: metadata.name });

        expect(output).toBe('in another');
      },
      3 * minutes,
    );

    test(
      'runs pods again after its kubelet was stopped and started',
      async () => {
        await cluster.node.stopKubelet();
        cluster.node.startKubelet();

        expect(await cluster.runPod('again', 'echo again')).toBe('again');
      },
      3 * minutes,
    );
  }

  test(
    'leaves nothing on the machine, whatever ran on it',
    async () => {
      await cluster.apply({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'staying' },
        spec: { containers: [{ name: 'main', image: busyboxImage, command: ['sleep', '1000'] }] },
      });
      await cluster.kubectl(['wait', 'pod/staying', '--for=condition=Ready', '--timeout=60s']);

      await cluster.cluster.stop();

      expect(leftovers(name)).toEqual(nothing);
    },
    3 * minutes,
  );
});

(whyNotStarted('full') === null ? describe : describe.skip)('a start of a node', () => {
  it.each([1_000, 5_000])(
    'is up again after its starter was killed %i ms after it began',
    async (killAfterMs) => {
      const other = testName(`kill-${killAfterMs}`);
      const starter = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'up', 'full', '--name', other]);
      await once(starter.stderr, 'data');
      await sleep(killAfterMs);
      starter.kill('SIGKILL');
      await once(starter, 'exit');

      const again = await start(other, 'full');
      const output = await again.runPod('hello', 'echo hello');
      await stopCluster(other, AbortSignal.timeout(minutes));

      expect(output).toBe('hello');
      expect(leftovers(other)).toEqual(nothing);
    },
    5 * minutes,
  );
});
