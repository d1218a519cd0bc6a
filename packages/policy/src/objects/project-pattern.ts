/** Which projects a policy names: by numeric id, by path, or by a glob of paths, in any case, as forges take them. */
import { globsOverlap, matchesGlob, readGlob, type Glob } from '@drydock/core';
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
      holds: (pattern) => pattern.includes('/') || pattern === '*' || pattern === '**' || isProjectId(pattern),
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

/** A pattern that was read once, for all projects and other patterns that it is held against. */
export interface ReadPattern {
  readonly text: string;
  readonly kind: 'everything' | 'id' | 'paths';
  /** What stands before the first sign of a glob, in small letters. */
  readonly start: string;
  readonly glob: Glob;
  /**
   * How closely it names what it does; the greater goes first: an id, then a path, then globs by the length of what stands
   * before their first sign, then every project.
   */
  readonly specificity: number;
}

/** Reads a pattern, in any case of letters. */
export function readPattern(text: string): ReadPattern {
  const kind = text === '*' || text === '**' ? 'everything' : isProjectId(text) ? 'id' : 'paths';
  const path = text.toLowerCase();
  const firstSign = path.search(/[*?[{]/);
  const pathSpecificity = firstSign < 0 ? 100_000 : 1 + firstSign;
  return {
    text,
    kind,
    start: firstSign < 0 ? path : path.slice(0, firstSign),
    glob: kind === 'paths' ? readGlob(path) : [],
    specificity: { everything: 0, id: 1_000_000, paths: pathSpecificity }[kind],
  };
}

/** Whether a pattern names a project; its path in small letters. */
export function matchesProject({ text, kind, start, glob }: ReadPattern, { projectId, projectPath }: PolicyProject) {
  if (kind === 'everything') return true;
  return kind === 'id' ? text === projectId : projectPath.startsWith(start) && matchesGlob(glob, projectPath);
}

/** Whether two patterns may name the same project. Of an id and a path nobody can tell before the project is seen. */
export function patternsOverlap(left: ReadPattern, right: ReadPattern): boolean {
  if (left.kind === 'everything' || right.kind === 'everything') return true;
  if (left.kind === 'id' || right.kind === 'id') return left.text === right.text;
  return (
    (left.start.startsWith(right.start) || right.start.startsWith(left.start)) && globsOverlap(left.glob, right.glob)
  );
}
