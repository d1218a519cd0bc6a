import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtPrograms } from '../build-programs.ts';
import { layoutOf } from '../layout.ts';
import { programsOf, type Level } from '../levels.ts';
import { defaultWorkshop } from '../places.ts';
import { readProcesses } from '../proc.ts';
import type { Programs } from '../programs-of-machine.ts';
import { cgroupsOf, mountsBelow } from '../remove-cluster.ts';
import { defaultStateRoot } from '../start-cluster.ts';
import { whyNoCluster } from '../use-cluster.ts';

/** These tests are of the clusters that we start, whatever cluster the user lets other tests into. */
const { KUBECONFIG: _yours, KUBEBUILDER_ASSETS: _assets, ...env } = process.env;

/** Why no cluster of that level can be started here, or null. */
export const whyNotStarted = (level: Level): string | null => whyNoCluster(level, env);

/** The programs that were built for that level. */
export const testPrograms = (level: Level): Programs => builtPrograms(defaultWorkshop(env), programsOf(level));

/** A name that no other run of the tests has. */
export const testName = (what: string): string => `test-${what}-${process.pid}`;

/** All that the machine still has of a cluster; nothing after it was stopped. */
export function leftovers(name: string): Readonly<Record<string, readonly unknown[]>> {
  const { folder, node } = layoutOf(name, 'full', defaultStateRoot());
  if (node === null) throw new Error('the full level has a node');
  const netns = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  const links = existsSync('/sys/class/net') ? readdirSync('/sys/class/net') : [];
  return {
    files: [folder].filter((path) => existsSync(path)),
    processes: readProcesses()
      .filter(({ mark }) => mark === folder)
      .map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').slice(0, 80)),
    mounts: mountsBelow(folder, readFileSync('/proc/self/mounts', 'utf8')),
    cgroups: cgroupsOf(node.cgroup),
    networks: netns.filter((entry) => entry === node.netns || entry === node.worldNetns),
    links: links.filter((entry) => /^(n0|lxc|cilium|cni)/.test(entry)),
  };
}

export const nothing = { files: [], processes: [], mounts: [], cgroups: [], networks: [], links: [] };
