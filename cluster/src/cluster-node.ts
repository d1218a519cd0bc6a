import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { readState, writeState } from './cluster-state.ts';
import { worldAddress, type Layout, type NodeLayout } from './layout.ts';
import { partEnvironment } from './parts.ts';
import { poll } from './poll.ts';
import { isAlive, type ProcessId } from './proc.ts';
import type { Programs } from './programs-of-machine.ts';
import { listenInside, startRelay, type Network } from './relay.ts';
import { importImage, listImages, startNodePart } from './start-node.ts';

/** A server of this process that listens inside a network of the cluster. */
export interface InsideListener {
  /** What `http.Server.listen` and `net.Server.listen` take in place of a port. */
  readonly handle: Server;
  /** Where pods reach it. */
  readonly host: string;
  readonly port: number;
}

/** A port of loopback that leads into a network of the cluster, until it is disposed of. */
export interface Forward extends AsyncDisposable {
  readonly port: number;
}

/**
 * The machine that pods run on, and ways in and out of its two networks: `network` is the node's own; in `world` is all
 * that pods see beyond the node, one host which answers at its own address and at some addresses of the internet.
 */
export interface ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly worldAddress: string;
  /** Gives containerd the images of an archive (`docker save`, `buildah push docker-archive:` or `oci-archive:`). */
  importImage(archive: string, signal: AbortSignal): Promise<void>;
  /** What containerd has, by name and tag, registry included. */
  listImages(signal: AbortSignal): Promise<readonly string[]>;
  /** Ends kubelet at once, as if the node were gone: pods go on, and nobody tells of them. */
  stopKubelet(): Promise<void>;
  startKubelet(): void;
  /** Runs a program in a network of the cluster, with an environment of its own; it ends with the cluster at the latest. */
  spawn(network: Network, command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Makes a server of this process one that pods can reach; port 0 takes a free one. */
  listen(network: Network, port?: number): Promise<InsideListener>;
  /** Makes a server that only pods can reach one that this process can reach, on 127.0.0.1. */
  forward(network: Network, host: string, port: number): Promise<Forward>;
}

export function clusterNode(layout: Layout, node: NodeLayout, programs: Programs): ClusterNode {
  return {
    name: node.name,
    address: node.address,
    worldAddress,
    importImage: (archive, signal) => importImage(layout, programs, archive, signal),
    listImages: (signal) => listImages(layout, programs, signal),
    async stopKubelet() {
      const kubelet = readState(layout.stateFile)?.processes['kubelet'];
      if (kubelet !== undefined) await end(kubelet);
    },
    startKubelet() {
      const state = readState(layout.stateFile);
      if (state === null) throw new Error(`the cluster ${layout.name} was stopped`);
      const running = state.processes['kubelet'];
      if (running !== undefined && isAlive(running)) return;
      const { id } = startNodePart(layout, 'kubelet', programs);
      writeState(layout.stateFile, { ...state, processes: { ...state.processes, kubelet: id } });
    },
    spawn(network, command, args, options = {}) {
      const env = { ...partEnvironment(layout), ...options.env };
      return spawn(join(layout.folder, `enter-${network}`), [command, ...args], { ...options, env });
    },
    async listen(network, port = 0) {
      const host = network === 'world' ? worldAddress : node.address;
      // Any address of the world, so that it also answers at those of the internet.
      const { server, port: taken } = await listenInside(layout, network, network === 'world' ? '0.0.0.0' : host, port);
      return { handle: server, host, port: taken };
    },
    async forward(network, host, port) {
      const relay = await startRelay(layout, { network, port: 0, host, targetPort: port });
      return { port: relay.port, [Symbol.asyncDispose]: () => end(relay.id) };
    },
  };
}

async function end(id: ProcessId): Promise<void> {
  if (isAlive(id)) process.kill(id.pid, 'SIGKILL');
  await poll(() => !isAlive(id), {
    what: `process ${id.pid} has ended`,
    timeoutMs: 10_000,
    everyMs: 10,
    signal: AbortSignal.timeout(10_000),
  });
}
