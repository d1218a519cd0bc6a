/**
 * What schedulers must agree on to sweep: who does it, and how far it came. Both live beside the queue, so that whatever
 * makes a store forget its tasks makes it forget, too, that they were looked for.
 */
import { z } from 'zod';

/** The right to sweep: a short lease by the store's time. In a cluster an elected leader may hold it instead. */
export interface SweepLock {
  /** Takes the right, or keeps it for another `ttlMs`; false: somebody else has it. `owner` is one process's own name. */
  hold(owner: string, ttlMs: number): Promise<boolean>;
  /** Gives it up; that of somebody else stays. */
  release(owner: string): Promise<void>;
}

/** What is known of the deliveries of a webhook that failed. */
const HookMemory = z.strictObject({
  projectId: z.string(),
  hookId: z.string(),
  /** All that failed up to here was looked at: the forge's ids grow. */
  seenId: z.string(),
  /** Those to be sent again, and those given up, which must not be taken for new when they come up once more. */
  deliveries: z.array(z.strictObject({ eventId: z.string(), key: z.string(), tries: z.int() })),
  failuresInARow: z.int(),
  /** Until then nothing is sent again. */
  pausedUntilMs: z.int(),
});
/** One webhook's part of what a sweep remembers. */
export type HookMemory = z.infer<typeof HookMemory>;

/** How far the sweep of a forge came. Times are milliseconds since the epoch. */
export const SweepProgress = z.strictObject({
  v: z.literal(1),
  /** Whatever changed before, by the forge's clock, was looked at. */
  watermarkMs: z.int(),
  /** When the last sweep began, by the clock of who did it. */
  sweptAtMs: z.int(),
  /** A sweep over everything that has not come to its end, and in which epoch of the queue it began; null: none. */
  full: z
    .strictObject({
      startedAtMs: z.int(),
      epoch: z.int(),
      /** Where the list of projects goes on. */
      cursor: z.string().nullable(),
      isListed: z.boolean(),
      /** Projects to be tried again, and how often they were. */
      failed: z.array(z.strictObject({ projectId: z.string(), projectPath: z.string() })),
      tries: z.int(),
    })
    .nullable(),
  /** When the last sweep over everything that ended had begun, and in which epoch; null: none ended. */
  fullAtMs: z.int().nullable(),
  fullEpoch: z.int().nullable(),
  /** Webhooks of which a delivery failed, those looked at last at the end; absent: none did. */
  hooks: z.array(HookMemory).optional(),
});
export type SweepProgress = z.infer<typeof SweepProgress>;

/** Progress as it was read; `revision` proves at the next write that nobody wrote, and nothing was lost, in between. */
export interface KnownProgress {
  /** Null: none is known. */
  readonly progress: SweepProgress | null;
  readonly revision: string;
}

/** Where progress is kept. Throws `TransientError` (`queue.unreachable`) when the store does not answer. */
export interface SweepState {
  read(forge: string): Promise<KnownProgress>;
  /** Null: it is no longer what was read, so nothing was written. */
  write(forge: string, progress: SweepProgress, revision: string): Promise<KnownProgress | null>;
}

/** Progress from its text; whatever cannot be read counts as none. */
export function knownProgress(text: string | null): KnownProgress {
  const parsed = SweepProgress.safeParse(jsonOf(text ?? ''));
  return { progress: parsed.success ? parsed.data : null, revision: text ?? '' };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
