import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { ProcessId } from './proc.ts';

const Ports = z.object({ api: z.int(), etcdClient: z.int(), etcdPeer: z.int(), outside: z.int() });

/** What a start leaves for those that come after it: other starts, stops, clients. */
export const ClusterState = z.object({
  v: z.literal(1),
  level: z.enum(['control-plane', 'bridge', 'full']),
  phase: z.enum(['starting', 'up']),
  /** The programs it was started with: other ones mean another cluster. */
  programs: z.string(),
  /** Null: stays until it is stopped. Else it goes with the last of these processes. */
  users: z.array(ProcessId).nullable(),
  ports: Ports,
  processes: z.record(z.string(), ProcessId),
});
export type ClusterState = z.infer<typeof ClusterState>;
export type Ports = z.infer<typeof Ports>;

/** Null where there is none, or none that we can read: then nothing that it names is relied on. */
export function readState(file: string): ClusterState | null {
  try {
    return ClusterState.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** Whole or not at all, whenever it is killed. */
export function writeState(file: string, state: ClusterState): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
