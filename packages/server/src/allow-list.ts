/**
 * Projects by numeric id or by a glob of their path: `*` stands for anything but a slash, `**` for anything, and a lone
 * `*` for every project.
 */
export function projectAllowList(patterns: readonly string[]): (projectId: string, path: string) => boolean {
  const ids = new Set(patterns.filter((pattern) => /^\d+$/.test(pattern)));
  const globs = patterns.filter((pattern) => !/^\d+$/.test(pattern)).map(globToRegExp);
  return (projectId, path) => ids.has(projectId) || globs.some((glob) => glob.test(path));
}

function globToRegExp(glob: string): RegExp {
  if (glob === '*') return /^/;
  const source = glob
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`, 'i');
}
