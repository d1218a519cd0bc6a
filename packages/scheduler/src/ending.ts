import type { TaskOutcome } from '@drydock/core';
import type { TaskFailure } from '@drydock/queue';

/** How the work on a task ended, as it is written to the queue. */
export type Ending =
  | { readonly kind: 'complete'; readonly outcome: TaskOutcome }
  | { readonly kind: 'fail'; readonly failure: TaskFailure }
  /** Nothing goes on until a person acts. */
  | {
      readonly kind: 'blocked';
      readonly code: string;
      readonly message: string;
      /** Not of this task alone: nothing at all may begin until then. */
      readonly pausesAll?: true;
    }
  /** There is no room just now; the task waits for it, uncounted. */
  | { readonly kind: 'no-room'; readonly code: string; readonly message: string }
  /** Its agent goes on; whoever leases next takes both over. */
  | { readonly kind: 'hand-over' }
  | { readonly kind: 'release'; readonly delayMs: number; readonly why: string }
  | { readonly kind: 'abandon' };
