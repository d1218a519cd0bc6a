import { compileGlob } from './path-glob.ts';

/** Tells whether events of a project are taken. */
export type ProjectAllowList = (projectId: string, path: string) => boolean;

/**
 * Projects by numeric id or by a glob of their path, in any case, as forges take them: `group/*` are the projects of a
 * group, `group/**` those of its subgroups too, and a lone `*` is every project.
 */
export function projectAllowList(patterns: readonly string[]): ProjectAllowList {
  if (patterns.includes('*')) return () => true;
  const ids = new Set(patterns.filter(isId));
  const globs = patterns.filter((pattern) => !isId(pattern)).map((glob) => compileGlob(glob.toLowerCase()));
  return (projectId, path) => ids.has(projectId) || globs.some((matches) => matches(path.toLowerCase()));
}

function isId(pattern: string): boolean {
  return /^\d+$/.test(pattern);
}
