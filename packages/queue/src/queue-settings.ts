import type { RetryPolicy } from '@drydock/core';

const hourMs = 3_600_000;

/** How a queue behaves, the same on every store. */
export interface QueueSettings {
  /** For faults that count: they use up a task's budget. */
  readonly retry: RetryPolicy;
  /** For faults of the infrastructure in a row, which do not count; bounded too, so that nothing is tried for ever. */
  readonly infraRetry: RetryPolicy;
  /** How long ended tasks are kept, in milliseconds. */
  readonly retentionMs: number;
  /** How long a delivery is known by its keys, in milliseconds. Forges send again within a day, GitHub within three. */
  readonly deliveryTtlMs: number;
}

/** What holds unless a process is told otherwise. */
export const defaultQueueSettings: QueueSettings = {
  retry: { maxAttempts: 3, baseMs: 30_000, capMs: 600_000 },
  infraRetry: { maxAttempts: 40, baseMs: 5_000, capMs: 4_500_000 },
  retentionMs: 30 * 24 * hourMs,
  deliveryTtlMs: 72 * hourMs,
};
