/** Which projects a policy names: by numeric id, by path, or by a glob of paths, in any case, as forges take them. */
import { compileGlob, globsOverlap } from '@drydock/core';
import { apiText, withRules } from './api-rule.ts';

const numericId = /^[1-9][0-9]{0,19}$/;

/** One entry of a policy's `projects`: a numeric id, a path, a glob of paths, or `*` for every project. */
export const ProjectPattern = withRules(
  apiText(1, 200).regex(
    /^[A-Za-z0-9_.*?[{][A-Za-z0-9_.*?[\]{},!^/-]*$/,
    'letters, digits, _ . - / and the signs of globs: * ? [ ] { } , ! ^',
  ),
  [
    {
      rule: "self.contains('/') || self in ['*', '**'] || self.matches('^[1-9][0-9]{0,19}$')",
      message:
        'must be a numeric id, *, or a path with a slash: group/* for the projects of a group, group/** for those of its subgroups too',
      holds: (pattern) => pattern.includes('/') || isEverything(pattern) || isProjectId(pattern),
    },
    {
      rule: "!self.contains('//') && !self.endsWith('/')",
      message: 'must not end with a slash or have two in a row',
      holds: (pattern) => !pattern.includes('//') && !pattern.endsWith('/'),
    },
  ],
);

/** A project as a policy is chosen for it. */
export interface PolicyProject {
  readonly forge: string;
  readonly projectId: string;
  readonly projectPath: string;
}

/** Whether a pattern is a numeric id. */
export function isProjectId(pattern: string): boolean {
  return numericId.test(pattern);
}

/** Whether a pattern names a project. */
export function matchesProject(pattern: string, { projectId, projectPath }: PolicyProject): boolean {
  if (isEverything(pattern)) return true;
  if (isProjectId(pattern)) return pattern === projectId;
  return compileGlob(pattern.toLowerCase())(projectPath.toLowerCase());
}

/**
 * How closely a pattern names what it does; the greater goes first: an id, then a path, then globs by the length of what
 * stands before their first sign, then every project.
 */
export function specificityOf(pattern: string): number {
  if (isEverything(pattern)) return 0;
  if (isProjectId(pattern)) return 1_000_000;
  const firstSign = pattern.search(/[*?[{]/);
  return firstSign < 0 ? 100_000 : 1 + firstSign;
}

/** Whether two patterns may name the same project. Of an id and a path nobody can tell before the project is seen. */
export function patternsOverlap(left: string, right: string): boolean {
  if (isProjectId(left) || isProjectId(right)) return left === right || isEverything(left) || isEverything(right);
  if (isEverything(left) || isEverything(right)) return true;
  const [one, other] = [left.toLowerCase(), right.toLowerCase()];
  const [start, otherStart] = [literalStart(one), literalStart(other)];
  return (start.startsWith(otherStart) || otherStart.startsWith(start)) && globsOverlap(one, other);
}

function isEverything(pattern: string): boolean {
  return pattern === '*' || pattern === '**';
}

function literalStart(pattern: string): string {
  return pattern.split(/[*?[{]/, 1)[0] ?? '';
}
