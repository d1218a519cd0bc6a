import { globSync } from 'node:fs';
import type { Level } from '../cluster/start-cluster.ts';

/** Tests that want a real Kubernetes, by the name of their files. */
export interface ClusterSuite {
  readonly level: Level;
  readonly pattern: string;
  readonly files: readonly string[];
}

const names: readonly { readonly level: Level; readonly name: string }[] = [
  { level: 'control-plane', name: 'control-plane' },
  { level: 'full', name: 'cluster' },
];

/** The suites of each level, of all test files. */
export function clusterSuites(cwd: string): readonly ClusterSuite[] {
  return names.map(({ level, name }) => ({
    level,
    pattern: `[.]${name}[.]test[.]ts$`,
    files: globSync(`{packages/*/src,e2e,cluster,scripts}/**/*.${name}.test.ts`, { cwd }),
  }));
}

/** What is done about the suites of one level. */
export type SuitePlan =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'build'; readonly level: Level }
  | { readonly kind: 'skip'; readonly pattern: string; readonly files: number; readonly why: string };

/** `selected`: the test files that will run, as absolute paths. */
export function planSuite(
  { level, pattern, files }: ClusterSuite,
  selected: readonly string[],
  { why, isBuilt }: { readonly why: string | null; readonly isBuilt: boolean },
): SuitePlan {
  const wanted = selected.filter((file) => new RegExp(pattern).test(file));
  if (wanted.length === 0) return { kind: 'nothing' };
  if (!isBuilt) return { kind: 'build', level };
  return why === null
    ? { kind: 'nothing' }
    : { kind: 'skip', pattern, files: Math.min(wanted.length, files.length), why };
}
