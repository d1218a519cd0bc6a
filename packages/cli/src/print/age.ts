const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

interface Step {
  /** Ages below it are told so. */
  readonly belowMs: number;
  readonly unit: readonly [ms: number, sign: string];
  /** Told too, where something is left. */
  readonly rest: readonly [ms: number, sign: string] | null;
}

const steps: readonly Step[] = [
  { belowMs: 2 * minute, unit: [second, 's'], rest: null },
  { belowMs: 10 * minute, unit: [minute, 'm'], rest: [second, 's'] },
  { belowMs: 3 * hour, unit: [minute, 'm'], rest: null },
  { belowMs: 8 * hour, unit: [hour, 'h'], rest: [minute, 'm'] },
  { belowMs: 2 * day, unit: [hour, 'h'], rest: null },
  { belowMs: 8 * day, unit: [day, 'd'], rest: [hour, 'h'] },
  { belowMs: 2 * year, unit: [day, 'd'], rest: null },
  { belowMs: 8 * year, unit: [year, 'y'], rest: [day, 'd'] },
  { belowMs: Infinity, unit: [year, 'y'], rest: null },
];

/** An age as kubectl prints it: `12s`, `5m`, `3h20m`, `4d`. Clocks differ, so that an age below zero is none. */
export function ageText(ms: number): string {
  const age = Math.max(0, ms);
  const step = steps.find(({ belowMs }) => age < belowMs);
  if (step === undefined) return '?';
  const [unitMs, sign] = step.unit;
  const whole = `${String(Math.floor(age / unitMs))}${sign}`;
  if (step.rest === null) return whole;
  const [restMs, restSign] = step.rest;
  const rest = Math.floor((age % unitMs) / restMs);
  return rest === 0 ? whole : `${whole}${String(rest)}${restSign}`;
}
