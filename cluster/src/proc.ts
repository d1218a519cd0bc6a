import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { z } from 'zod';

/** A process for good: a pid alone may be given to another one. */
export const ProcessId = z.object({ pid: z.int().positive(), startTicks: z.string(), bootId: z.string() });
export type ProcessId = z.infer<typeof ProcessId>;

/** What /proc tells of a process as far as it shows to which cluster it belongs; null is what we may not read. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parentPid: number;
  /** The state folder in its environment. */
  readonly mark: string | null;
  /** As the link reads: `net:[4026531840]`. */
  readonly netns: string | null;
}

/** Set in the environment of each process of a cluster to its state folder; what these start inherits it. */
export const clusterMark = 'DRYDOCK_CLUSTER_FOLDER';

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null; // it ended meanwhile, or is another user's
  }
}

/** The fields of /proc/<pid>/stat that follow the name, which may itself hold blanks and brackets. */
function statFields(pid: number): readonly string[] | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** Names a running process for good, or null if there is none (a zombie is none). */
export function identify(pid: number): ProcessId | null {
  const fields = statFields(pid);
  const startTicks = fields?.[19];
  if (startTicks === undefined || fields?.[0] === 'Z') return null;
  return { pid, startTicks, bootId: bootId() };
}

/** Whether this very process still runs. */
export function isAlive(id: ProcessId): boolean {
  const now = identify(id.pid);
  return now !== null && now.startTicks === id.startTicks && now.bootId === id.bootId;
}

/** Everything that runs on this machine and that we may look at. */
export function readProcesses(): readonly ProcessFacts[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.flatMap((entry) => {
    const pid = Number(entry);
    const fields = statFields(pid);
    if (fields === null || fields[0] === 'Z') return [];
    const environment = attempt(() => readFileSync(`/proc/${pid}/environ`, 'utf8'));
    const mark = environment
      ?.split('\0')
      .find((entry) => entry.startsWith(`${clusterMark}=`))
      ?.slice(clusterMark.length + 1);
    const netns = attempt(() => readlinkSync(`/proc/${pid}/ns/net`));
    return [{ pid, parentPid: Number(fields[1]), mark: mark ?? null, netns }];
  });
}

/** What shows that a process belongs to a cluster; each of them is enough. */
export interface Membership {
  readonly folder: string;
  /** The cluster's network namespaces as `ProcessFacts` writes them. */
  readonly netns: readonly string[];
  /** Those in the cluster's cgroups. */
  readonly cgroupPids: ReadonlySet<number>;
}

/** The processes of a cluster; never the one that asks, nor what that one was started by. */
export function membersOf(
  { folder, netns, cgroupPids }: Membership,
  processes: readonly ProcessFacts[],
  ownPid: number,
): readonly number[] {
  const parents = new Map(processes.map(({ pid, parentPid }) => [pid, parentPid]));
  const ours = new Set<number>();
  for (let pid: number | undefined = ownPid; pid !== undefined && !ours.has(pid); pid = parents.get(pid)) ours.add(pid);
  return processes
    .filter(({ pid }) => pid > 1 && !ours.has(pid))
    .filter(
      (found) =>
        found.mark === folder || (found.netns !== null && netns.includes(found.netns)) || cgroupPids.has(found.pid),
    )
    .map(({ pid }) => pid);
}
