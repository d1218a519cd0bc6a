import { z } from 'zod';

const severities = ['low', 'medium', 'high', 'critical'] as const;

/** How bad it is, mildest first. */
export const Severity = z.enum(severities);
export type Severity = z.infer<typeof Severity>;

/** Negative when `left` is milder than `right`, zero when equal. */
export function compareSeverity(left: Severity, right: Severity): number {
  return severities.indexOf(left) - severities.indexOf(right);
}

/** What a finding is about. */
export const Category = z.enum(['correctness', 'security', 'performance', 'tests', 'maintainability', 'documentation']);
export type Category = z.infer<typeof Category>;

/** Which side of the diff: `new` is the head, `old` the merge base. */
export const Side = z.enum(['new', 'old']);
export type Side = z.infer<typeof Side>;

/** A path inside the repository: relative, with forward slashes, never into `.git`. */
export const RepoPath = z.string().min(1).max(4096).refine(isRepoPath, 'a relative path inside the repository');
export type RepoPath = z.infer<typeof RepoPath>;

function isRepoPath(path: string): boolean {
  if (path.startsWith('/') || path.includes('\0') || !path.isWellFormed()) return false;
  const parts = path.split('/');
  return parts.every((part) => part !== '' && part !== '.' && part !== '..' && part.toLowerCase() !== '.git');
}

/** A claim at a path and lines, as an agent submits it. The gateway checks every part again. */
export const Finding = z.strictObject({
  path: RepoPath,
  side: Side,
  /** 1-based, inclusive. */
  startLine: z.int().min(1),
  /** 1-based, inclusive, not before `startLine`. */
  endLine: z.int().min(1),
  severity: Severity,
  category: Category,
  /** 0 to 1. */
  confidence: z.number().min(0).max(1),
  title: z.string().min(1).max(200),
  reason: z.string().min(1).max(4000),
  /** The exact text of the lines, joined by line feeds. */
  quotedCode: z.string().max(20_000),
  /** Replaces exactly those lines; the empty text deletes them; null: none. Only on the new side. */
  suggestion: z.string().max(20_000).nullable(),
  /** Who found it: the model, or a deterministic rule by its name. */
  source: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('model') }),
    z.strictObject({ kind: z.literal('rule'), rule: z.string().max(100) }),
  ]),
});
export type Finding = z.infer<typeof Finding>;
