import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { readState } from './cluster-state.ts';
import { layoutOf } from './layout.ts';
import { poll } from './poll.ts';
import { isAlive } from './proc.ts';
import { namesOnMachine } from './remove-cluster.ts';
import { run } from './run.ts';
import {
  clusterNames,
  defaultStateRoot,
  startCluster,
  stopCluster,
  type Cluster,
  type StartOptions,
} from './start-cluster.ts';
import { leftovers, nothing, testName, testPrograms, whyNotStarted } from './testing/test-cluster.ts';

const level = 'control-plane';
const name = testName('plane');
const { stateFile, folder } = layoutOf(name, level, defaultStateRoot());
const minutes = 60_000;

const start = (options: Partial<StartOptions> = {}): Promise<Cluster> =>
  startCluster({ name, level, programs: testPrograms(level), signal: AbortSignal.timeout(2 * minutes), ...options });

async function kubectl(kubeconfig: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(testPrograms(level).path('kubectl'), ['--kubeconfig', kubeconfig, ...args]);
  return `${stdout}${stderr}`.trim();
}

async function killPart(part: string): Promise<void> {
  const id = readState(stateFile)?.processes[part];
  if (id === undefined) throw new Error(`${part} does not run`);
  process.kill(id.pid, 'SIGKILL');
  await poll(() => !isAlive(id), { what: 'it is dead', timeoutMs: minutes, signal: AbortSignal.timeout(minutes) });
}

const pidOf = (part: string): number => readState(stateFile)?.processes[part]?.pid ?? 0;

const describeHere = whyNotStarted(level) === null ? describe : describe.skip;

// The first starts it, the others find it running: a start is most of the time that they take.
describeHere('a control plane that runs', () => {
  afterAll(() => stopCluster(name, AbortSignal.timeout(minutes)), 2 * minutes);

  it(
    'is found by a second start, and lasts until the last process that uses it stops it',
    async () => {
      const first = await start();
      const api = pidOf('kube-apiserver');
      const other = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'up', level, '--name', name]);
      await once(other, 'exit');
      const second = await start();

      await second.stop();

      // That other process meant to keep it.
      expect([first.isNew, second.isNew, pidOf('kube-apiserver')]).toEqual([true, false, api]);
      expect(await kubectl(second.kubeconfigPath, 'get', '--raw', '/readyz')).toBe('ok');
    },
    3 * minutes,
  );

  it(
    'gives a user what RBAC gives to the user and its groups, and no more',
    async () => {
      const cluster = await start();
      const admin = cluster.kubeconfigPath;
      await kubectl(admin, 'create', 'rolebinding', 'readers', '--clusterrole=view', '--group=readers');

      const reader = await cluster.kubeconfigFor({ user: 'ada', groups: ['readers'] });
      const anyone = await cluster.kubeconfigFor({ user: 'bob' });

      expect(await kubectl(reader, 'get', 'pods', '-o', 'name')).toBe('');
      expect(await kubectl(anyone, 'get', 'pods')).toContain('User "bob" cannot list resource "pods"');
      expect(readFileSync(reader, 'utf8')).not.toContain('drydock-admin');
    },
    3 * minutes,
  );

  it(
    'runs beside another of another name',
    async () => {
      const first = await start();

      await using second = await asDisposable(
        startCluster({
          name: `${name}-b`,
          level,
          programs: testPrograms(level),
          signal: AbortSignal.timeout(2 * minutes),
        }),
      );
      await kubectl(second.cluster.kubeconfigPath, 'create', 'namespace', 'only-here');

      expect(await kubectl(first.kubeconfigPath, 'get', 'namespaces')).not.toContain('only-here');
    },
    3 * minutes,
  );

  it.each(['etcd', 'kube-controller-manager'])(
    'is up again after its %s was killed',
    async (part) => {
      await start();
      await killPart(part);

      const again = await start();

      expect(again.isNew).toBe(true);
      expect(await kubectl(again.kubeconfigPath, 'get', '--raw', '/readyz')).toBe('ok');
    },
    3 * minutes,
  );
});

describeHere('a control plane', () => {
  afterEach(() => stopCluster(name, AbortSignal.timeout(minutes)), 2 * minutes);

  it(
    'serves Kubernetes, has what pods need, and leaves nothing when it is stopped',
    async () => {
      const cluster = await start();

      const version = await kubectl(cluster.kubeconfigPath, 'version');
      const account = await kubectl(cluster.kubeconfigPath, 'get', 'serviceaccount', 'default', '-o', 'name');
      const mode = statSync(cluster.kubeconfigPath).mode & 0o777;
      await cluster.stop();

      expect(cluster).toMatchObject({ isNew: true, isYours: false, node: null });
      expect(version).toContain('Server Version: v1.36.3');
      expect([account, mode]).toEqual(['serviceaccount/default', 0o600]);
      expect(leftovers(name)).toEqual(nothing);
    },
    3 * minutes,
  );

  it.each([100, 1_000, 3_000])(
    'is up again after its starter was killed %i ms after it began',
    async (killAfterMs) => {
      const starter = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'up', level, '--name', name]);
      await once(starter.stderr, 'data');
      await sleep(killAfterMs);
      starter.kill('SIGKILL');
      await once(starter, 'exit');

      const cluster = await start();
      const answer = await kubectl(cluster.kubeconfigPath, 'get', '--raw', '/readyz');
      await stopCluster(name, AbortSignal.timeout(minutes));

      expect(answer).toBe('ok');
      expect(leftovers(name)).toEqual(nothing);
    },
    3 * minutes,
  );

  it(
    'is stopped whole although nothing tells any more what was started',
    async () => {
      await start();
      rmSync(stateFile);

      await stopCluster(name, AbortSignal.timeout(minutes));

      expect(leftovers(name)).toEqual(nothing);
    },
    3 * minutes,
  );

  it(
    'is found and stopped whole although the folder of all clusters is lost',
    async () => {
      const stateRoot = mkdtempSync('/var/tmp/drydock-lost-');
      const cluster = await start({ stateRoot });
      rmSync(stateRoot, { recursive: true });

      const found = namesOnMachine(stateRoot);
      const existed = await stopCluster(name, AbortSignal.timeout(minutes), stateRoot);

      expect([found, existed]).toEqual([[name], true]);
      expect(namesOnMachine(stateRoot)).toEqual([]);
      expect(cluster.isNew).toBe(true);
    },
    3 * minutes,
  );

  it(
    'is one cluster when two start it at once, and both are told that it is up',
    async () => {
      const up = () =>
        spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'up', level, '--name', name], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
      const told = await Promise.all(
        [up(), up()].map(async (starter) => {
          let text = '';
          starter.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          const [code] = (await once(starter, 'close')) as [number | null];
          return { code, text };
        }),
      );

      expect(told.map(({ code }) => code)).toEqual([0, 0]);
      expect(told.filter(({ text }) => text.includes('is up already'))).toHaveLength(1);
      expect(told.filter(({ text }) => /is up \(control-plane\), after/.test(text))).toHaveLength(1);
    },
    3 * minutes,
  );

  it(
    'is removed by the next start of any cluster when its process is gone',
    async () => {
      const program = `import { startCluster } from ${JSON.stringify(join(import.meta.dirname, 'start-cluster.ts'))};
      import { testPrograms } from ${JSON.stringify(join(import.meta.dirname, 'testing/test-cluster.ts'))};
      const signal = AbortSignal.timeout(100000);
      await startCluster({ name: '${name}', level: '${level}', programs: testPrograms('${level}'), signal });
      process.kill(process.pid, 'SIGKILL');`;
      const killed = spawn(process.execPath, ['--input-type=module', '-e', program]);
      await once(killed, 'exit');
      const before = clusterNames();

      const next = await startCluster({
        name: `${name}-next`,
        level,
        programs: testPrograms(level),
        signal: AbortSignal.timeout(2 * minutes),
      });
      await next.stop();

      expect(before).toContain(name);
      expect(leftovers(name)).toEqual(nothing);
    },
    3 * minutes,
  );

  it(
    'ends what it began when the start is aborted',
    async () => {
      const abort = new AbortController();
      const starting = start({ signal: abort.signal });
      setTimeout(() => abort.abort(new Error('no longer wanted')), 1_000);

      await expect(starting).rejects.toThrow();

      expect(leftovers(name)).toMatchObject({ ...nothing, files: [folder] });
    },
    3 * minutes,
  );

  it(
    'says with the end of its log why a part did not start',
    async () => {
      const programs = testPrograms(level);
      const broken = join(defaultStateRoot(), '..', `broken-${name}`);
      writeFileSync(broken, '#!/bin/sh\necho cannot open the database\nexit 1\n', { mode: 0o755 });
      const path = (program: string) => (program === 'etcd' ? broken : programs.path(program));

      const starting = startCluster({
        name,
        level,
        programs: { ...programs, path },
        signal: AbortSignal.timeout(minutes),
      });

      await expect(starting).rejects.toThrow(/etcd ended.*cannot open the database/s);
      rmSync(broken);
    },
    3 * minutes,
  );
});

async function asDisposable(starting: Promise<Cluster>): Promise<AsyncDisposable & { readonly cluster: Cluster }> {
  const cluster = await starting;
  return { cluster, [Symbol.asyncDispose]: () => cluster.stop() };
}
