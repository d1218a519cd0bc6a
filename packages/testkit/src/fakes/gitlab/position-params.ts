import { z } from 'zod';
import { integer, optional, optionalInteger, text } from './api-params.ts';
import type { DiffPosition } from './check-position.ts';

const rangeEnd = z.strictObject({
  line_code: optional(text),
  type: optional(text),
  old_line: optionalInteger,
  new_line: optionalInteger,
});

/** A `position` parameter. Whole files can be commented on from GitLab 16.4 on. */
export function positionParam(gitLabVersion: string) {
  const types = isAtLeast(gitLabVersion, 16, 4) ? (['text', 'image', 'file'] as const) : (['text', 'image'] as const);
  return z.strictObject({
    base_sha: text,
    start_sha: text,
    head_sha: text,
    position_type: z.enum(types),
    old_path: optional(text),
    new_path: optional(text),
    old_line: optionalInteger,
    new_line: optionalInteger,
    line_range: z.strictObject({ start: rangeEnd.optional(), end: rangeEnd.optional() }).nullish(),
    x: integer.nullish(),
    y: integer.nullish(),
    width: integer.nullish(),
    height: integer.nullish(),
  });
}

/** The parameter as a position: what was not sent is null. */
export function toPosition(param: z.output<ReturnType<typeof positionParam>>): DiffPosition {
  const end = (value: z.output<typeof rangeEnd> | undefined) => ({
    line_code: value?.line_code ?? null,
    type: value?.type ?? null,
    old_line: value?.old_line ?? null,
    new_line: value?.new_line ?? null,
  });
  const range = param.line_range ?? null;
  return {
    base_sha: param.base_sha,
    start_sha: param.start_sha,
    head_sha: param.head_sha,
    position_type: param.position_type,
    old_path: param.old_path ?? null,
    new_path: param.new_path ?? null,
    old_line: param.old_line ?? null,
    new_line: param.new_line ?? null,
    line_range: range === null ? null : { start: end(range.start), end: end(range.end) },
    x: param.x ?? null,
    y: param.y ?? null,
    width: param.width ?? null,
    height: param.height ?? null,
  };
}

/** Whether a version is this one or newer. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
