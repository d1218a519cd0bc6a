import { readFileSync } from 'node:fs';
import type { Level } from './levels.ts';
import { programsIn } from './programs-of-machine.ts';
import { cgroupRoots } from './remove-cluster.ts';

/** What a level needs of the machine, by program and the Debian package that has it. */
const needs: Readonly<Record<Level, Readonly<Record<string, string>>>> = {
  'control-plane': { etcd: 'etcd-server', openssl: 'openssl' },
  bridge: {
    etcd: 'etcd-server',
    openssl: 'openssl',
    ip: 'iproute2',
    nsenter: 'util-linux',
    unshare: 'util-linux',
    conntrack: 'conntrack',
    ethtool: 'ethtool',
    nft: 'nftables',
    gcc: 'gcc',
    'pkg-config': 'pkg-config',
    debootstrap: 'debootstrap',
  },
  full: { 'clang-19': 'clang-19', 'llc-19': 'llvm-19', bpftool: 'bpftool' },
};

/** Why a cluster of this level cannot run on this machine, in words for a person, or null if it can. */
export function whyNot(level: Level): string | null {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (level !== 'control-plane') {
    if (process.getuid?.() !== 0) return 'a node needs root (the level control-plane does not)';
    if (cgroupRoots(readFileSync('/proc/self/mounts', 'utf8')).length === 0) return 'no cgroups are mounted';
  }
  const wanted = level === 'full' ? { ...needs.bridge, ...needs.full } : needs[level];
  const missing = Object.entries(wanted).filter(([program]) => !isThere(program));
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  return `there is no ${missing.map(([program]) => program).join(', ')} (Debian: apt-get install ${packages})`;
}

function isThere(program: string): boolean {
  try {
    programsIn([], '').path(program);
    return true;
  } catch {
    return false;
  }
}
