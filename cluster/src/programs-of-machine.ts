import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** What a node needs beside programs. */
export interface NodeFiles {
  readonly pause: string;
  /** Archives that containerd is given before the first pod. */
  readonly images: readonly string[];
  /** Cilium's, with `bpf` and `crds`; null at the bridge level. */
  readonly cilium: string | null;
}

/** Where the programs of a cluster are. */
export interface Programs {
  /** The same for the same programs: a running cluster of other ones is none that was asked for. */
  readonly key: string;
  /** Null if no node can be started with them. */
  readonly nodeFiles: NodeFiles | null;
  /** Throws if there is none of that name. */
  path(name: string): string;
}

/** Also where a user's PATH has no folders for root. */
const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Looks in these folders first, then where the machine keeps its programs. */
export function programsIn(folders: readonly string[], key: string, nodeFiles: NodeFiles | null = null): Programs {
  return {
    key,
    nodeFiles,
    path(name) {
      const found = [...folders, ...systemFolders].map((folder) => join(folder, name)).find(isExecutable);
      if (found === undefined)
        throw new Error(`${name}: not in ${folders.join(', ')} nor where this machine has programs`);
      return found;
    },
  };
}

/** Whether we may start it. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
