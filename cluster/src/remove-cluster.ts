import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { layoutOf } from './layout.ts';
import { poll } from './poll.ts';
import { membersOf, readProcesses } from './proc.ts';
import { runOk } from './run.ts';

/** Where `ip netns` keeps the namespaces that it names. */
const netnsFolder = '/run/netns';

/**
 * Ends and removes everything that a cluster of this name has on the machine, whatever state it is in and whatever
 * of its files are lost. Nothing in it is worth an orderly end.
 */
export async function removeCluster(name: string, stateRoot: string, signal: AbortSignal): Promise<void> {
  await endParts(name, stateRoot, signal);
  const { folder } = layoutOf(name, 'full', stateRoot);
  const mounts = mountsBelow(folder, readFileSync('/proc/self/mounts', 'utf8'));
  // A mount below may show anything of the machine: deleting through it would delete that.
  if (mounts.length > 0) throw new Error(`still mounted, so nothing is deleted: ${mounts.join(', ')}`);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** All but the files, among which the logs tell why a start failed. */
export async function endParts(name: string, stateRoot: string, signal: AbortSignal): Promise<void> {
  const { folder, node } = layoutOf(name, 'full', stateRoot);
  if (node === null) throw new Error('the full level has a node');
  const members = () =>
    membersOf(
      { folder, netns: [node.netns, node.worldNetns].flatMap(netnsLink), cgroupPids: cgroupPids(node.cgroup) },
      readProcesses(),
      process.pid,
    );
  await poll(
    () => {
      const pids = members();
      for (const pid of pids) kill(pid);
      return pids.length === 0;
    },
    { what: `the processes of the cluster ${name} have ended`, timeoutMs: 30_000, everyMs: 20, signal },
  );
  for (const mount of mountsBelow(folder, readFileSync('/proc/self/mounts', 'utf8')))
    await runOk('umount', ['--lazy', mount], { signal });
  for (const netns of [node.worldNetns, node.netns])
    if (existsSync(join(netnsFolder, netns))) await runOk('ip', ['netns', 'delete', netns], { signal });
  for (const cgroup of cgroupsOf(node.cgroup))
    await poll(() => removeCgroup(cgroup), { what: `${cgroup} is removed`, timeoutMs: 10_000, signal });
}

/**
 * The names of the clusters below a state folder that anything on the machine tells of: files, processes, network
 * namespaces or cgroups. Also when the folder is lost.
 */
export function namesOnMachine(stateRoot: string): readonly string[] {
  const files = existsSync(stateRoot) ? readdirSync(stateRoot) : [];
  const marks = readProcesses().flatMap(({ mark }) =>
    mark !== null && dirname(mark) === stateRoot ? [basename(mark)] : [],
  );
  const folders = [netnsFolder, ...cgroupRoots(readFileSync('/proc/self/mounts', 'utf8'))];
  const ids = folders.flatMap((folder) => ifThere(() => readdirSync(folder)));
  const named = ids.flatMap((id) => {
    const name = /^drydock-(.+)-[0-9a-f]{6}$/.exec(id)?.[1];
    // Those of another folder have another number at their end.
    return name !== undefined && layoutOf(name, 'full', stateRoot).node?.netns === id ? [name] : [];
  });
  return [...new Set([...files, ...marks, ...named])].sort();
}

/** Mount points at or below a folder, the innermost first, as /proc/self/mounts lists them. */
export function mountsBelow(folder: string, mounts: string): readonly string[] {
  return mounts
    .split('\n')
    .map((line) =>
      (line.split(' ')[1] ?? '').replaceAll(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(parseInt(octal, 8)),
      ),
    )
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .reverse();
}

/** What the link of a process in the namespace reads. */
function netnsLink(name: string): readonly string[] {
  try {
    return [`net:[${statSync(join(netnsFolder, name)).ino}]`];
  } catch {
    return [];
  }
}

/** The cgroup of that name in each hierarchy that is mounted and has it. */
export function cgroupsOf(name: string): readonly string[] {
  return cgroupRoots(readFileSync('/proc/self/mounts', 'utf8'))
    .map((root) => join(root, name))
    .filter((folder) => existsSync(folder));
}

/** Where the hierarchies of cgroups are mounted, of either version. */
export function cgroupRoots(mounts: string): readonly string[] {
  const roots = mounts.split('\n').flatMap((line) => {
    const [, point, type] = line.split(' ');
    return point?.startsWith('/sys/fs/cgroup') === true && (type === 'cgroup' || type === 'cgroup2') ? [point] : [];
  });
  return [...new Set(roots)];
}

function cgroupPids(name: string): ReadonlySet<number> {
  return new Set(cgroupsOf(name).flatMap(pidsBelow));
}

/** The processes of a cgroup and of all below it. */
export function pidsBelow(cgroup: string): readonly number[] {
  return foldersBelow(cgroup)
    .flatMap((folder) => ifThere(() => readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n')))
    .filter((pid) => pid !== '')
    .map(Number);
}

/** Those who are ended remove cgroups of their own on their way: what is gone holds nothing. */
function ifThere<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    // A file of a cgroup that goes after it was opened reads as ENODEV.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENODEV')) return [];
    throw error;
  }
}

/** A folder and all below it, the innermost last. Files of a cgroup are not for deleting, its folders are. */
function foldersBelow(folder: string): readonly string[] {
  const inner = ifThere(() => readdirSync(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return [folder, ...inner.flatMap((entry) => foldersBelow(join(folder, entry.name)))];
}

function removeCgroup(root: string): boolean {
  if (!existsSync(root)) return true;
  try {
    for (const folder of [...foldersBelow(root)].reverse()) rmdirSync(folder);
    return true;
  } catch {
    return false; // the kernel is still clearing up after what ran in it
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended meanwhile; what may not be ended shows as not ended
  }
}
