import { quantityOf, type PolicyPod, type ReadPolicy } from '@drydock/policy';
import { PodSettings } from '../launchers/pod-settings.ts';
import type { AppliedPolicy } from './policy-source.ts';

/** What a valid object comes to, over the scheduler's own settings of pods. */
export function appliedPolicy(policy: Extract<ReadPolicy, { kind: 'valid' }>, pod: PodSettings): AppliedPolicy {
  const { name, generation, spec } = policy;
  const { maxRunning = null, maxRunningPerProject = maxRunning, weight } = spec.concurrency;
  return {
    name,
    generation,
    review: spec.review,
    triggers: spec.triggers,
    pod: podOf(spec.pod, pod),
    maxRunning,
    share: { weight, maxRunning: maxRunningPerProject },
  };
}

/** Of the disk, for the folder that an agent works in; the rest is for its logs and its home. */
const workShare = 0.75;

function podOf({ resources = {}, ...others }: PolicyPod, settings: PodSettings): PodSettings {
  const { cpu, memory, ephemeralStorage } = resources;
  const work = ephemeralStorage === undefined ? undefined : Math.floor(quantityOf(ephemeralStorage) * workShare);
  return PodSettings.parse({
    ...settings,
    ...written({ cpu, memory, ephemeralStorage, workSize: work }, String),
    ...written(others, (value) => value),
  });
}

/** The entries that are there. */
function written<Value, Made>(
  entries: Readonly<Record<string, Value | undefined>>,
  make: (value: Value) => Made,
): Readonly<Record<string, Made>> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([key, value]) => (value === undefined ? [] : [[key, make(value)]])),
  );
}
