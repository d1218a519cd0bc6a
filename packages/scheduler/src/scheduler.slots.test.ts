import { describe, expect, it } from '@jest/globals';
import { taskIdOf } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import type { AgentExit } from './launchers/launcher.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { exitedWell } from './testing/hand-launcher.ts';
import { SchedulerStage } from './testing/scheduler-stage.ts';
import { sha, subject } from './testing/world-gateway.ts';

const places = 3;
const exits: readonly AgentExit[] = [
  exitedWell,
  { kind: 'exited', code: 1, signal: null, lastWords: '' },
  { kind: 'timed-out' },
  { kind: 'failed', class: 'infra', reason: 'NodeLost', message: '' },
  { kind: 'failed', class: 'oom', reason: 'OOMKilled', message: '' },
  { kind: 'failed', class: 'capacity', reason: 'quota', message: '' },
];
const iid = fc.integer({ min: 1, max: 6 });
const aStep = fc.oneof(
  fc.record({ kind: fc.constant('event' as const), iid, copies: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('push' as const), iid, head: fc.constantFrom('a', 'b', 'd') }),
  fc.record({ kind: fc.constant('cancel' as const), iid }),
  fc.record({
    kind: fc.constant('end' as const),
    of: fc.nat(20),
    exit: fc.constantFrom(...exits),
    hasResult: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 60_000 }) }),
);
type Step = typeof aStep extends fc.Arbitrary<infer S> ? S : never;

async function take(stage: SchedulerStage, step: Step): Promise<void> {
  switch (step.kind) {
    case 'event':
      for (let copy = 0; copy < step.copies; copy += 1) await stage.event({ subject: { ...subject, iid: step.iid } });
      return;
    case 'push':
      stage.gateway.headSha = sha(step.head);
      return stage.event({ subject: { ...subject, iid: step.iid }, headSha: sha(step.head) });
    case 'cancel':
      await stage.queue.cancel(taskIdOf('review', { ...subject, iid: step.iid }), 'ada');
      return stage.clock.advance(0);
    case 'end': {
      // Of those that ended before, too: an end that is told twice, or late.
      const agent = stage.launcher.agents[step.of % Math.max(1, stage.launcher.agents.length)];
      if (agent === undefined) return;
      if (step.hasResult) stage.gateway.submitReview(agent.launch.runId);
      agent.end(step.exit);
      return stage.clock.advance(0);
    }
    case 'time':
      return stage.clock.advance(step.ms);
  }
}

describe('the places of a scheduler', () => {
  it('reported 18: are the truth after any order of events and ends, doubled or late, and none is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aStep, { minLength: 10, maxLength: 50 }), async (steps) => {
        const stage = new SchedulerStage(new ManualClock());
        const registry = new Registry();
        const metrics = createSchedulerMetrics(registry);
        stage.gateway.changes = { reviewed: null };
        stage.start({ maxRunning: places }, { metrics });
        const told = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value;

        for (const step of steps) {
          await take(stage, step);

          const { running } = await stage.queue.stats();
          expect(running).toBeLessThanOrEqual(places);
          expect(stage.launcher.running).toBeLessThanOrEqual(running);
          expect(await told('drydock_running_tasks')).toBe(running);
          expect(await told('drydock_slots_free')).toBe(places - running);
        }
        for (let round = 0; round < 100 && stage.launcher.running > 0; round += 1) {
          for (const { launch, end } of stage.launcher.agents) {
            stage.gateway.submitReview(launch.runId);
            end(exitedWell);
          }
          await stage.clock.advance(1000);
        }

        expect(stage.launcher.mostAtOnce).toBeLessThanOrEqual(places);
        expect(await told('drydock_slots_free')).toBe(places);
        await stage.stop();
      }),
      { numRuns: 25 },
    );
  });
});
