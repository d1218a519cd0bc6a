import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ToolModule } from './programs.ts';

/** Where programs are built from and kept; tests have small ones of their own. */
export interface Workshop {
  /** Holds the folders of the tools modules. */
  readonly toolsFolder: string;
  readonly cacheRoot: string;
  readonly modules?: readonly ToolModule[];
  /** Else the one that the machine has, or can get. */
  readonly go?: string;
}

/** Where builds are kept, outside of every checkout, so that all of a user share them. */
export function defaultCacheRoot(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'drydock', 'cluster');
}

/** The tools modules of this checkout, and the user's cache. */
export function defaultWorkshop(env: NodeJS.ProcessEnv): Workshop {
  return { toolsFolder: join(import.meta.dirname, '..', 'tools'), cacheRoot: defaultCacheRoot(env) };
}
