/**
 * The steps between which a process can die, by name, so that tests can make it die at each. A point that names what
 * was done stands right after the durable write; a point in `-ing` right before one that nothing else comes before.
 *
 *   ingest    the server takes a delivery
 *   task      a scheduler leases a task, looks and decides
 *   launch    a run is recorded, granted, announced, started
 *   run       the gateway's side of it: the run, the calls of the model, the result
 *   publish   the review is brought to the forge, comment by comment
 *   ending    the scheduler tells and records how it ended
 */
import { z } from 'zod';
import { ConfigError } from './errors.ts';

/** A step of the whole way from a delivery to a published review. */
export const CrashPoint = z.enum([
  'ingest.verified',
  'ingest.enqueued',
  'task.leased',
  'task.observed',
  'task.decided',
  'launch.recorded',
  'launch.granted',
  'launch.announced',
  'launch.started',
  'launch.ended',
  'run.recorded',
  'run.call-reserved',
  'run.call-relayed',
  'run.call-settled',
  'run.result-storing',
  'run.result-stored',
  'publish.recorded',
  'publish.begun',
  'publish.posting',
  'publish.posted',
  'publish.tidied',
  'publish.summary-written',
  'publish.storing',
  'publish.stored',
  'publish.answered',
  'state.written',
  'ending.told',
  'ending.recording',
  'ending.recorded',
]);
export type CrashPoint = z.infer<typeof CrashPoint>;

/** Told of each step as it is reached. Where it is not given, nothing happens. */
export type ReachPoint = (point: CrashPoint) => void;

const Wish = z
  .string()
  .regex(/^[a-z-]+\.[a-z-]+(?::[1-9]\d{0,3})?$/)
  .transform((text) => {
    const [point, nth = '1'] = text.split(':');
    return { point, nth: Number(nth) };
  })
  .pipe(z.object({ point: CrashPoint, nth: z.int() }));

/**
 * Dies at the point that `DRYDOCK_CRASH_AT` names (`publish.posted`, or `publish.posted:3` the third time it is
 * reached); undefined when the variable is not set. For tests alone: throws `ConfigError` unless NODE_ENV is `test`.
 */
export function crashAt(
  environment: Readonly<Record<string, string | undefined>>,
  die: () => void,
): ReachPoint | undefined {
  const wanted = environment['DRYDOCK_CRASH_AT'];
  if (wanted === undefined || wanted === '') return undefined;
  if (environment['NODE_ENV'] !== 'test') {
    throw new ConfigError('Wrong settings:\n  DRYDOCK_CRASH_AT: kills this process, and is for tests alone: unset it');
  }
  const wish = Wish.safeParse(wanted);
  if (!wish.success) throw new ConfigError('Wrong settings:\n  DRYDOCK_CRASH_AT: there is no such point');
  let left = wish.data.nth;
  return (point) => {
    if (point === wish.data.point && --left === 0) die();
  };
}
