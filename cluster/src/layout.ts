import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Level } from './levels.ts';

/** Where everything of one cluster is. Addresses are the same in all: each node has a network of its own. */
export interface Layout {
  readonly name: string;
  readonly level: Level;
  /** All its files; short, because paths of sockets may have 107 bytes. */
  readonly folder: string;
  readonly stateFile: string;
  readonly pki: string;
  readonly logs: string;
  /** For clients on this machine, with all rights; mode 0600. */
  readonly kubeconfig: string;
  /** Null at the control-plane level, which runs on loopback as any server does. */
  readonly node: NodeLayout | null;
}

/** What only a cluster with a node has. */
export interface NodeLayout {
  readonly name: string;
  readonly address: string;
  /** The name that `ip netns` lists. */
  readonly netns: string;
  /** What the node sees beyond its network interface: one host, at `worldAddress` and at addresses of the internet. */
  readonly worldNetns: string;
  /** Below the root of each cgroup hierarchy. */
  readonly cgroup: string;
}

export const podRange = '10.244.0.0/16';
export const serviceRange = '10.96.0.0/16';
export const apiServiceAddress = '10.96.0.1';
/** Nobody answers there: task pods have no DNS, and what probes for one needs an address to probe. */
export const dnsServiceAddress = '10.96.0.10';
export const nodeAddress = '172.30.0.2';
/** Of the other end of the node's veth pair: all that there is outside. */
export const worldAddress = '172.30.0.1';
export const apiPort = 6443;

const clusterName = /^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$/;

/** Throws if the name could not be part of names of files, namespaces and cgroups. */
export function layoutOf(name: string, level: Level, stateRoot: string): Layout {
  if (!clusterName.test(name))
    throw new Error(`"${name}" is no name for a cluster: at most 24 of a-z, 0-9 and -, not - at an end`);
  const folder = join(stateRoot, name);
  // Another state folder may hold a cluster of the same name.
  const id = `${name}-${createHash('sha256').update(folder).digest('hex').slice(0, 6)}`;
  return {
    name,
    level,
    folder,
    stateFile: join(folder, 'state.json'),
    pki: join(folder, 'pki'),
    logs: join(folder, 'log'),
    kubeconfig: join(folder, 'admin.kubeconfig'),
    node:
      level === 'control-plane'
        ? null
        : {
            name: 'node0',
            address: nodeAddress,
            netns: `drydock-${id}`,
            worldNetns: `drydock-${id}-world`,
            cgroup: `drydock-${id}`,
          },
  };
}
