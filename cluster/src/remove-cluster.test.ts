import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { cgroupRoots, mountsBelow, pidsBelow } from './remove-cluster.ts';

const mounts = `proc /proc proc rw 0 0
tmpfs /var/tmp/clusters/dev/kubelet/a tmpfs rw 0 0
overlay /var/tmp/clusters/dev/rootfs\\040with\\040blanks overlay rw 0 0
tmpfs /var/tmp/clusters/dev-2/kubelet tmpfs rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup /elsewhere/cgroup cgroup rw,memory 0 0
`;

describe('mountsBelow', () => {
  it('lists those of the folder alone, the innermost first', () => {
    expect(mountsBelow('/var/tmp/clusters/dev', mounts)).toEqual([
      '/var/tmp/clusters/dev/rootfs with blanks',
      '/var/tmp/clusters/dev/kubelet/a',
    ]);
  });
});

describe('cgroupRoots', () => {
  it('finds the hierarchies of both versions', () => {
    expect(cgroupRoots(mounts)).toEqual(['/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified']);
    expect(cgroupRoots('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n')).toEqual(['/sys/fs/cgroup']);
  });
});

describe('pidsBelow', () => {
  it('lists what runs in a cgroup and below it, and passes over what is gone before it is read', () => {
    using stack = new DisposableStack();
    const root = mkdtempSync(join(tmpdir(), 'drydock-cgroup-'));
    stack.defer(() => rmSync(root, { recursive: true }));
    for (const inner of ['pods/one', 'pods/gone']) mkdirSync(join(root, inner), { recursive: true });
    for (const [folder, pids] of [
      ['', ''],
      ['pods', '12\n'],
      ['pods/one', '13\n14\n'],
    ] as const)
      writeFileSync(join(root, folder, 'cgroup.procs'), pids);

    expect([...pidsBelow(root)].sort()).toEqual([12, 13, 14]);
    expect(pidsBelow(join(root, 'nowhere'))).toEqual([]);
  });
});
