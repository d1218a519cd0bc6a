import { join } from 'node:path';
import type { Layout, NodeLayout } from './layout.ts';

/**
 * Small shell scripts that put a process where it belongs before it becomes what it is to be: only exec keeps the
 * process, and with it the number that was recorded.
 */
export interface NodeScripts {
  /** Joins the cluster's cgroup and the node's network. */
  readonly 'enter-network': string;
  /** The same for the network outside of the node. */
  readonly 'enter-world': string;
  /** Joins the cgroup, the network and the mounts of the node. */
  readonly 'enter-node': string;
  /** Makes the mounts of the node, then stays as the process that they live by. */
  readonly 'make-node': string;
  readonly 'with-proc-modules': string;
}

/** What the kubelet would set for the whole machine; in the node's mounts it writes to copies. */
const kernelSettings: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

/** `cgroup2`: where its hierarchy is mounted, or null on a machine that has the first version alone. */
export function nodeScripts(
  layout: Layout,
  node: NodeLayout,
  cgroups: readonly string[],
  cgroup2: string | null,
): NodeScripts {
  const { folder } = layout;
  const join_ = (cgroup2 === null ? cgroups : [join(cgroup2, node.cgroup)]).map(
    (root) => `echo $$ > ${root}/system/cgroup.procs`,
  );
  const enter = (how: string) => `#!/bin/sh\nset -e\n${join_.join('\n')}\nexec nsenter ${how} -- "$@"\n`;
  const nodePid = `$(cat ${folder}/node.pid)`;
  return {
    'enter-network': enter(`--net=/run/netns/${node.netns}`),
    'enter-world': enter(`--net=/run/netns/${node.worldNetns}`),
    'enter-node': enter(`--target ${nodePid} --mount --net`),
    'make-node': `#!/bin/sh
set -e
mount --make-rshared /
# All that kubelet, containerd and Cilium leave outside of their folders goes with these mounts.
mount -t tmpfs -o mode=755 tmpfs /run
for name in lib log; do
  mkdir -p /run/over/$name/upper /run/over/$name/work
  mount -t overlay -o lowerdir=/var/$name,upperdir=/run/over/$name/upper,workdir=/run/over/$name/work overlay /var/$name
done
${Object.entries(kernelSettings)
  .map(
    ([setting, value], index) =>
      `echo ${value} > /run/setting${index}; mount --bind /run/setting${index} /proc/sys/${setting}`,
  )
  .join('\n')}
${layout.level === 'full' ? 'mount -t bpf bpf /sys/fs/bpf' : ''}
${cgroup2 === null ? '' : `mount --bind ${join(cgroup2, node.cgroup)} ${folder}/cgroup2`}
echo $$ > ${folder}/node.pid.new
mv ${folder}/node.pid.new ${folder}/node.pid
exec ${folder}/pause
`,
    'with-proc-modules': `#!/bin/sh
# A kernel without modules has no /proc/modules, and Cilium does not start without it. In mounts of its own /proc becomes
# links to the real one and an empty file of that name.
set -e
if [ ! -e /proc/modules ]; then
  mkdir -p /run/real-proc
  mount --bind /proc /run/real-proc
  mount -t tmpfs tmpfs /proc
  for entry in /run/real-proc/* ; do ln -s "$entry" /proc/; done
  : > /proc/modules
fi
exec "$@"
`,
  };
}
