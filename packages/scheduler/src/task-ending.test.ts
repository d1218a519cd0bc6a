import { describe, expect, it } from '@jest/globals';
import { noUsage, type RunView } from '@drydock/core';
import fc from 'fast-check';
import { endingOfRun } from './task-ending.ts';

const record = { failures: 0, disruptions: 0, hasMoreMemory: false };

function runAfter(calls: number): RunView {
  return {
    v: 1,
    runId: '0123456789abcdef-1',
    taskId: 'review:gitlab:42:7',
    launch: 1,
    isRevoked: false,
    isPublished: false,
    result: null,
    usage: { calls, reusedCalls: 0, tokens: noUsage, costUsd: null },
  };
}

const endingOf = (code: number | null, run: RunView | null, signal: string | null = null) =>
  endingOfRun({ kind: 'exited', code, signal, lastWords: '' }, run, record);

describe('the end of an agent without a result', () => {
  it('counts whatever its exit code, once it spent something: it could else spend for ever', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(0, 75, 78, null), fc.integer({ min: 0, max: 255 })),
        fc.integer({ min: 1, max: 10_000 }),
        fc.constantFrom('SIGKILL', 'SIGTERM', null),
        (code, calls, signal) => {
          const ending = endingOf(code, runAfter(calls), signal);

          expect(ending.kind === 'fail' && ending.failure.class).toMatch(/^(transient|terminal)$/);
        },
      ),
    );
  });

  it.each([
    ['that never asked anything', runAfter(0)],
    ['of a run that the gateway does not know', null],
  ])('counts nothing when it could not reach the gateway, of one %s', (_which, run) => {
    expect(endingOf(75, run)).toMatchObject({ failure: { class: 'infra', code: 'gateway.unreachable' } });
  });
});
