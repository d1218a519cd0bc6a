import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aJob, aPod } from '../../testing/kube-facts.ts';
import { agentState, type AgentState } from './agent-end.ts';
import type { ContainerFacts, JobFacts, PodFacts } from './run-facts.ts';

const ended = (exitCode: number, reason = 'Error'): ContainerFacts => ({
  kind: 'terminated',
  exitCode,
  reason,
  message: '',
});
const waiting: ContainerFacts = { kind: 'waiting', reason: 'PodInitializing', message: '' };
const running: ContainerFacts = { kind: 'running' };
const deadline = { reason: 'DeadlineExceeded', message: '' };
const lost = { reason: 'DeletionByTaintManager', message: '' };

/** What becomes of a part of a run, in the one order there is; ends from which nothing leads on stand side by side. */
const lives = {
  preflight: fc.constantFrom(0, 0, 0, 42, 43, 75, 137).map((code) => [null, waiting, running, ended(code)] as const),
  agent: fc
    .constantFrom(ended(0, 'Completed'), ended(1), ended(137, 'OOMKilled'), ended(143), ended(0, 'StartError'))
    .map((end) => [null, waiting, running, end] as const),
  phase: fc.constantFrom('Succeeded', 'Failed').map((end) => ['Pending', 'Running', end] as const),
  isDeleting: fc.constant([false, true] as const),
  disruption: fc.constant([null, lost] as const),
  failure: fc
    .constantFrom(deadline, { reason: 'BackoffLimitExceeded', message: '' })
    .map((end) => [null, end] as const),
  isComplete: fc.constantFrom([false] as const, [false, true] as const),
};

/** A step of one of the parts; the others stay. */
const aLife = fc.record({
  ...{ parts: fc.record(lives) },
  order: fc.array(fc.constantFrom(...(Object.keys(lives) as (keyof typeof lives)[])), { minLength: 5, maxLength: 30 }),
});

/** The run after each step. */
function statesOf({ parts, order }: typeof aLife extends fc.Arbitrary<infer Life> ? Life : never): AgentState[] {
  const at = new Map<keyof typeof lives, number>();
  const now = <T>(part: keyof typeof lives, steps: readonly T[]): T | undefined =>
    steps[Math.min(at.get(part) ?? 0, steps.length - 1)];
  return order.map((part) => {
    at.set(part, (at.get(part) ?? 0) + 1);
    const preflight = now('preflight', parts.preflight) ?? null;
    const mayBegin = preflight?.kind === 'terminated' && preflight.exitCode === 0; // the kubelet's own order
    const pod: Partial<PodFacts> = {
      preflight,
      agent: (mayBegin ? now('agent', parts.agent) : undefined) ?? null,
      phase: now('phase', parts.phase) ?? '',
      isDeleting: now('isDeleting', parts.isDeleting) ?? false,
      disruption: now('disruption', parts.disruption) ?? null,
    };
    const job: Partial<JobFacts> = {
      failure: now('failure', parts.failure) ?? null,
      isComplete: now('isComplete', parts.isComplete) ?? false,
    };
    return agentState({ job: aJob(job), pods: [aPod(pod)], hadPod: true });
  });
}

describe('the state of an agent', () => {
  it('reported 26: never says that it works once it said how it ended, in whatever order Kubernetes tells', () => {
    fc.assert(
      fc.property(aLife, (life) => {
        const kinds = statesOf(life).map(({ kind }) => kind);
        const end = kinds.indexOf('ended');
        const after = end === -1 ? [] : kinds.slice(end);

        expect(after).not.toContain('running');
        expect(after).not.toContain('pending');
      }),
      { numRuns: 2000 },
    );
  });

  it('reported 26: keeps to it that it ended well, whatever is told after but that it was taken away', () => {
    fc.assert(
      fc.property(aLife, (life) => {
        const states = statesOf({ ...life, order: life.order.filter((part) => part !== 'disruption') });
        const isWell = (state: AgentState) =>
          state.kind === 'ended' && state.exit.kind === 'exited' && state.exit.code === 0;
        const end = states.findIndex(isWell);

        expect(end === -1 || states.slice(end).every(isWell)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
