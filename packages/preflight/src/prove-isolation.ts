import type { PreflightReport } from '@drydock/core';
import type { PreflightConfig } from './config.ts';
import { probe } from './probe.ts';

/** How long is tried; times are milliseconds. */
export interface ProbeTimes {
  readonly probeMs: number;
  /** Between rounds. */
  readonly pauseMs: number;
  /** No round begins later than this. */
  readonly patienceMs: number;
}

export const probeTimes: ProbeTimes = { probeMs: 250, pauseMs: 100, patienceMs: 5000 };

/**
 * Tries all addresses at once, and again until none of the hard set connects: a network policy may come later than its
 * pod. The report is that of the last round; whether it is clean tells `isClean`.
 */
export async function proveIsolation(
  { hard, posture }: Pick<PreflightConfig, 'hard' | 'posture'>,
  { probeMs, pauseMs, patienceMs }: ProbeTimes = probeTimes,
): Promise<PreflightReport> {
  const startMs = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startMs);
  const targets = [
    ...hard.map((target) => ({ target, set: 'hard' as const })),
    ...posture.map((target) => ({ target, set: 'posture' as const })),
  ];
  for (let rounds = 1; ; rounds += 1) {
    const probes = await Promise.all(
      targets.map(async ({ target, set }) => ({ target: target.text, set, outcome: await probe(target, probeMs) })),
    );
    const report = { v: 1, probes, rounds, elapsedMs: elapsedMs() } as const;
    if (isClean(report) || elapsedMs() + pauseMs >= patienceMs) return report;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Nothing that must not answer did. */
export function isClean({ probes }: PreflightReport): boolean {
  return probes.every(({ set, outcome }) => set !== 'hard' || outcome !== 'connected');
}
