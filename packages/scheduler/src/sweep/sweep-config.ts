import { z } from 'zod';

/** Settings of the sweep, for each process that sweeps. */
export const SweepConfig = z.object({
  sweepEveryMs: z.coerce
    .number()
    .int()
    .min(0)
    .default(300_000)
    .describe('How often open merge requests are compared with what was reviewed, to find missed webhooks; 0: never'),
  sweepReachDays: z.coerce
    .number()
    .int()
    .min(1)
    .default(7)
    .describe(
      'How far back a full comparison looks: a merge request that nobody touched for longer waits for an event',
    ),
});
