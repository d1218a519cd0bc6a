import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoots } from './remove-cluster.ts';

/** The cgroup of a cluster in each hierarchy, with `system` below it for what is no pod. */
export interface NodeCgroups {
  readonly folders: readonly string[];
  /** Where the hierarchy of the second version is mounted, also beside those of the first. */
  readonly cgroup2: string | null;
}

/** Makes them; kubelet keeps its pods' below. */
export function createCgroups(name: string): NodeCgroups {
  const roots = cgroupRoots(readFileSync('/proc/self/mounts', 'utf8'));
  const cgroup2 = roots.find((root) => existsSync(join(root, 'cgroup.controllers'))) ?? null;
  const folders = roots.map((root) => {
    const folder = join(root, name);
    mkdirSync(join(folder, 'system'), { recursive: true });
    if (root === cgroup2) delegate(root, folder);
    for (const [from, to] of [
      [root, folder],
      [folder, join(folder, 'system')],
    ] as const)
      copyCpuset(from, to);
    return folder;
  });
  return { folders, cgroup2 };
}

/** In the second version a child has the controllers that its parent hands down. */
function delegate(root: string, folder: string): void {
  for (const controller of ['cpuset', 'cpu', 'io', 'memory', 'pids'])
    for (const parent of [root, folder]) {
      try {
        writeFileSync(join(parent, 'cgroup.subtree_control'), `+${controller}`);
      } catch {
        // The first version has it, or the machine has not: kubelet names what it misses.
      }
    }
}

/** In the first version of cpuset a new cgroup has no processor, and nothing can run in it. */
function copyCpuset(from: string, to: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (!existsSync(join(from, 'cpuset.cpu_exclusive'))) continue;
    writeFileSync(join(to, file), readFileSync(join(from, file)));
  }
}
