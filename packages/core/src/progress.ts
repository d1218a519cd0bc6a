import { z } from 'zod';
import { RunUsage } from './usage.ts';

const progressKinds = [
  z.strictObject({ kind: z.literal('stage-started'), stage: z.string().max(50) }),
  z.strictObject({ kind: z.literal('stage-ended'), stage: z.string().max(50), durationMs: z.number().min(0) }),
  z.strictObject({ kind: z.literal('turn'), turn: z.int().min(1) }),
  z.strictObject({
    kind: z.literal('tool'),
    tool: z.string().max(64),
    /** What it was used on, such as a path; never what it returned. */
    target: z.string().max(300),
    isError: z.boolean(),
    durationMs: z.number().min(0),
  }),
  z.strictObject({
    kind: z.literal('finding'),
    severity: z.string().max(20),
    path: z.string().max(4096),
    line: z.int().min(1),
  }),
  z.strictObject({ kind: z.literal('log'), level: z.enum(['info', 'warn', 'error']), text: z.string().max(1000) }),
] as const;

/** One thing that an agent did. */
export const ProgressEvent = z.discriminatedUnion('kind', progressKinds);
export type ProgressEvent = z.infer<typeof ProgressEvent>;

/** What an agent posts while it works. */
export const ProgressReport = z.strictObject({ v: z.literal(1), events: z.array(ProgressEvent).min(1).max(200) });
export type ProgressReport = z.infer<typeof ProgressReport>;

/** A kept event: `seq` counts from 1 within the run; `usage` is what the run had used when it arrived. */
export const ProgressEntry = z.strictObject({
  seq: z.int().min(1),
  atMs: z.int(),
  event: ProgressEvent,
  usage: RunUsage,
});
export type ProgressEntry = z.infer<typeof ProgressEntry>;
