import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askApi, type ApiAccess } from './api-client.ts';
import { signCertificate, type Subject } from './certificates.ts';
import { readState, writeState, type ClusterState, type Ports } from './cluster-state.ts';
import { clusterNode, type ClusterNode } from './cluster-node.ts';
import { freePorts } from './free-ports.ts';
import { holdLock } from './hold-lock.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { apiPort, layoutOf, type Layout } from './layout.ts';
import type { Level } from './levels.ts';
import { pulseFor, usualPulse } from './node-pulse.ts';
import { identify, isAlive, type ProcessId } from './proc.ts';
import type { Programs } from './programs-of-machine.ts';
import { endParts, namesOnMachine, removeCluster } from './remove-cluster.ts';
import { startRelay } from './relay.ts';
import { createCredentials, startControlPlane } from './start-control-plane.ts';
import { createPlace, startKubelet, startMachine } from './start-node.ts';

export interface StartOptions {
  /** At most 24 of a-z, 0-9 and -. Clusters of other names do not touch this one. */
  readonly name: string;
  readonly level: Level;
  readonly programs: Programs;
  /** Aborting stops the start; what was started until then is ended. */
  readonly signal: AbortSignal;
  /** A wiped state also if such a cluster runs already. */
  readonly isFresh?: boolean;
  /** Whether it stays when the processes that use it are gone; else the next start of any cluster removes it. */
  readonly isKept?: boolean;
  readonly stateRoot?: string;
  /** A node that says nothing for so long is taken for lost; absent: Kubernetes' own 50. A cluster that is up keeps its own. */
  readonly lostNodeSeconds?: number;
  /** Told in a few words what is being done. */
  readonly onProgress?: (step: string) => void;
}

/** A cluster that answers. */
export interface Cluster {
  readonly name: string;
  readonly level: Level;
  /** For clients on this machine, with all rights. */
  readonly kubeconfigPath: string;
  /** False if it had been running before. */
  readonly isNew: boolean;
  /** True for a cluster of the user's, which may hold other things than the tests'. */
  readonly isYours: boolean;
  /** Null at the control-plane level, and in a cluster of the user's. */
  readonly node: ClusterNode | null;
  /** Writes a kubeconfig (mode 0600) for a user of these groups, who may do what RBAC gives them; returns its path. */
  kubeconfigFor(subject: Pick<Subject, 'user' | 'groups'>): Promise<string>;
  /** Ends it and removes everything of it, unless another process uses it or it is to be kept. */
  stop(): Promise<void>;
}

/** Starts a cluster, or finds it running: idempotent, and heals whatever an earlier start left. */
export async function startCluster(options: StartOptions): Promise<Cluster> {
  const { name, level, signal, stateRoot = defaultStateRoot(), onProgress = () => undefined } = options;
  const layout = layoutOf(name, level, stateRoot);
  prepareStateRoot(stateRoot);
  await removeAbandoned(signal, stateRoot);
  await using _lock = await lockCluster(layout.folder, 'starting it', signal, onProgress);
  const state = readState(layout.stateFile);
  const isUp = options.isFresh !== true && state !== null && (await isHealthy(layout, state, options.programs, signal));
  if (isUp && state.level !== level)
    throw new Error(`the cluster ${name} is up at the level ${state.level}; stop it first, or give another name`);
  if (!isUp) {
    if (existsSync(layout.folder)) onProgress('removing what an earlier start left');
    await removeCluster(name, stateRoot, signal);
    await startFromNothing(layout, options);
  } else {
    const users = options.isKept === true || state.users === null ? null : [...usersOf(state), thisProcess()];
    writeState(layout.stateFile, { ...state, users });
  }
  return clusterHandle(layout, options.programs, stateRoot, !isUp);
}

/** Ends the cluster of that name if there is one; true if there was something to remove. */
export async function stopCluster(name: string, signal: AbortSignal, stateRoot = defaultStateRoot()): Promise<boolean> {
  const layout = layoutOf(name, 'full', stateRoot);
  await using _lock = await lockCluster(layout.folder, 'stopping it', signal);
  const existed = namesOnMachine(stateRoot).includes(name);
  await removeCluster(name, stateRoot, signal);
  return existed;
}

/** What the last user of a cluster does not need, nobody does. */
async function leaveCluster(layout: Layout, stateRoot: string, signal: AbortSignal): Promise<void> {
  await using _lock = await lockCluster(layout.folder, 'stopping it', signal);
  const state = readState(layout.stateFile);
  if (state === null || state.users === null) return;
  const users = usersOf(state);
  if (users.length === 0) await removeCluster(layout.name, stateRoot, signal);
  else writeState(layout.stateFile, { ...state, users });
}

/** Those that run, but for this process. */
function usersOf({ users }: ClusterState): ProcessId[] {
  return (users ?? []).filter((user) => user.pid !== process.pid && isAlive(user));
}

function thisProcess(): ProcessId {
  const id = identify(process.pid);
  if (id === null) throw new Error('/proc does not know this process');
  return id;
}

/** One folder for each user: a name in a folder that all may write could be taken by another one. */
export function defaultStateRoot(): string {
  return `/var/tmp/drydock-clusters-${process.getuid?.() ?? 0}`;
}

/** The names of clusters that have files here, running or not. */
export function clusterNames(stateRoot = defaultStateRoot()): readonly string[] {
  return existsSync(stateRoot) ? readdirSync(stateRoot).sort() : [];
}

function prepareStateRoot(stateRoot: string): void {
  mkdirSync(stateRoot, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(stateRoot);
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0)
    throw new Error(`${stateRoot} belongs to somebody else, or others may enter it`);
}

/** Removes those that nobody uses any more and nobody meant to keep, as after a test run that was killed. */
export async function removeAbandoned(signal: AbortSignal, stateRoot = defaultStateRoot()): Promise<void> {
  for (const name of clusterNames(stateRoot)) {
    const { folder, stateFile } = layoutOf(name, 'full', stateRoot);
    const isAbandoned = () => {
      const state = readState(stateFile);
      return state !== null && state.users !== null && !state.users.some(isAlive);
    };
    if (!isAbandoned()) continue;
    await using _lock = await lockCluster(folder, 'removing it', signal);
    if (isAbandoned()) await removeCluster(name, stateRoot, signal);
  }
}

async function lockCluster(
  folder: string,
  doing: string,
  signal: AbortSignal,
  onProgress: (step: string) => void = () => undefined,
): Promise<AsyncDisposable> {
  const id = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return holdLock(`cluster-${id}`, () => doing, {
    signal,
    onWait: (holder) => onProgress(`waiting for process ${holder.pid}, which is ${holder.doing}`),
  });
}

async function startFromNothing(layout: Layout, options: StartOptions): Promise<void> {
  const { signal, programs, lostNodeSeconds, onProgress = () => undefined } = options;
  const { node } = layout;
  if (node !== null && programs.nodeFiles === null) throw new Error('these programs make no node');
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  let state: ClusterState = {
    v: 1,
    level: layout.level,
    phase: 'starting',
    programs: programs.key,
    users: options.isKept === true ? null : [thisProcess()],
    ports: await choosePorts(layout),
    processes: {},
  };
  const save = (change: Partial<ClusterState>) => {
    state = { ...state, ...change };
    writeState(layout.stateFile, state);
  };
  save({});
  try {
    onProgress(
      node === null ? 'starting etcd, API server and controller manager' : 'starting etcd, API server and node',
    );
    if (node !== null) await createPlace(layout, node, signal);
    const credentials = await createCredentials(layout, state.ports, signal);
    const access: ApiAccess = { port: state.ports.outside, authority: credentials.authority, pair: credentials.admin };
    const onPart = ({ name, id }: { name: string; id: ProcessId }) =>
      save({ processes: { ...state.processes, [name]: id } });
    const enter = node === null ? [] : [join(layout.folder, 'enter-network')];
    const pulse = lostNodeSeconds === undefined ? usualPulse : pulseFor(lostNodeSeconds);
    const controlPlane = () =>
      startControlPlane(layout, programs, state.ports, { access, enter, pulse, signal, onPart });
    if (node === null || programs.nodeFiles === null) {
      await controlPlane();
    } else {
      const start = { programs, files: programs.nodeFiles, pulse, signal, onPart };
      const target = {
        network: 'network',
        port: state.ports.outside,
        host: node.address,
        targetPort: apiPort,
      } as const;
      onPart({ name: 'relay', id: (await startRelay(layout, target)).id });
      await Promise.all([controlPlane(), startMachine(layout, node, start)]);
      onProgress('waiting for the node');
      await startKubelet(layout, node, access, start);
    }
    save({ phase: 'up' });
  } catch (error) {
    // The files stay: the logs are there.
    await endParts(layout.name, join(layout.folder, '..'), AbortSignal.timeout(60_000));
    throw error;
  }
}

async function choosePorts({ node }: Layout): Promise<Ports> {
  if (node !== null) {
    const [outside = 0] = await freePorts(1);
    return { api: apiPort, etcdClient: 2379, etcdPeer: 2380, outside };
  }
  const [api = 0, etcdClient = 0, etcdPeer = 0] = await freePorts(3);
  return { api, etcdClient, etcdPeer, outside: api };
}

/** Everything that was started runs still, was made of these programs, and answers. */
async function isHealthy(
  layout: Layout,
  state: ClusterState,
  programs: Programs,
  signal: AbortSignal,
): Promise<boolean> {
  if (state.phase !== 'up' || state.programs !== programs.key) return false;
  if (!Object.values(state.processes).every(isAlive)) return false;
  try {
    const read = (file: string) => readFile(join(layout.pki, file), 'utf8');
    const [authority, certificate, key] = await Promise.all(['ca.crt', 'admin.crt', 'admin.key'].map(read));
    if (authority === undefined || certificate === undefined || key === undefined) return false;
    const access = { port: state.ports.outside, authority, pair: { certificate, key } };
    return (await askApi(access, '/readyz', { signal }))?.status === 200;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

function clusterHandle(layout: Layout, programs: Programs, stateRoot: string, isNew: boolean): Cluster {
  const { name, level, kubeconfig, node } = layout;
  return {
    name,
    level,
    isNew,
    isYours: false,
    kubeconfigPath: kubeconfig,
    node: node === null ? null : clusterNode(layout, node, programs),
    async kubeconfigFor({ user, groups = [] }) {
      const file = `user-${createHash('sha256')
        .update(JSON.stringify([user, groups]))
        .digest('hex')
        .slice(0, 12)}`;
      const pair = await signCertificate(layout.pki, file, { user, groups }, AbortSignal.timeout(30_000));
      const authority = await readFile(join(layout.pki, 'ca.crt'), 'utf8');
      const ports = readState(layout.stateFile)?.ports;
      if (ports === undefined) throw new Error(`the cluster ${name} was stopped`);
      const server = `https://127.0.0.1:${ports.outside}`;
      const path = join(layout.folder, `${file}.kubeconfig`);
      await writeFile(path, renderKubeconfig(server, authority, { kind: 'certificate', pair }), { mode: 0o600 });
      return path;
    },
    stop: () => leaveCluster(layout, stateRoot, AbortSignal.timeout(60_000)),
  };
}
