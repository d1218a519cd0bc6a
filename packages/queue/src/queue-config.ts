import { z } from 'zod';

/** Settings of the queue that every process on it must have alike. */
export const QueueConfig = z.object({
  keepDays: z.coerce
    .number()
    .min(1)
    .max(3650)
    .default(30)
    .describe(
      'How long it is remembered how a task ended, in days; an event that comes again within it is not paid for again. The same for server and scheduler',
    ),
});
export type QueueConfig = z.infer<typeof QueueConfig>;

/** Settings of every process that keeps something in Redis. */
export const StoreConfig = z.object({
  redisWaitSeconds: z.coerce
    .number()
    .min(0)
    .max(3600)
    .default(0)
    .describe('How long a process waits at its start for a Redis that does not answer, before it ends'),
});

const dayMs = 24 * 3_600_000;

/** What these settings come to. */
export function queueSettings({ keepDays }: QueueConfig): { readonly retentionMs: number } {
  return { retentionMs: keepDays * dayMs };
}
