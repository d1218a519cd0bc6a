import { beforeEach, describe, expect, it } from '@jest/globals';
import { TransientError, silentLog, type FailedDeliveryPage, type Log } from '@drydock/core';
import { MemorySweepState } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { SweepWorld } from '../testing/sweep-world.ts';
import { createSweepMetrics } from './sweep-metrics.ts';
import { SweepLost } from './sweep-walk.ts';
import { HookWatch } from './watch-hooks.ts';

const everyMs = 300_000;
const dayMs = 24 * 3_600_000;
const never = new AbortController().signal;
const project = { projectId: '1', projectPath: 'shop/p1' };

describe('failed deliveries of our webhooks', () => {
  let clock: ManualClock;
  let state: MemorySweepState;
  let world: SweepWorld;
  let watch: HookWatch;
  let registry: Registry;
  let warnings: string[];
  let hookState: 'sending' | 'paused' | 'off';
  let lastId: number;

  beforeEach(async () => {
    clock = new ManualClock(Date.UTC(2026, 0, 1));
    state = new MemorySweepState(clock);
    world = new SweepWorld();
    world.addProject(1);
    registry = new Registry();
    warnings = [];
    hookState = 'sending';
    lastId = 100;
    watch = begin();
    const nothing = { v: 1, watermarkMs: 0, sweptAtMs: 0, full: null, fullAtMs: null, fullEpoch: null } as const;
    await state.write('gitlab', nothing, '');
  });

  function begin(): HookWatch {
    const warn = (_facts: unknown, message: string) => {
      warnings.push(message);
    };
    const log: Log = { ...silentLog, warn, error: warn };
    registry.clear();
    const ports = { gateway: world, state, clock, log, metrics: createSweepMetrics(registry) };
    return new HookWatch(ports, { forge: 'gitlab', reachMs: 7 * dayMs });
  }

  function fail(about: FailedDeliveryPage['deliveries'][number]['about'], key?: string, ageMs = 0): string {
    lastId += 1;
    const eventId = String(lastId);
    const delivery = { eventId, deliveryKey: key ?? `key-${eventId}`, about, occurredAtMs: clock.nowMs() - ageMs };
    world.failures.set('1', [...(world.failures.get('1') ?? []), delivery]);
    return eventId;
  }

  /** Sent again it fails again, and is logged anew under its key. */
  function failAgain(_projectId: string, eventId: string): 'failed' {
    const known = world.failures.get('1')?.find((delivery) => delivery.eventId === eventId);
    fail(known?.about ?? 'nothing', known?.deliveryKey ?? undefined);
    return 'failed';
  }

  /** A round of the sweep, as each five minutes; answers with what was sent again. */
  async function round(mayGoOn: () => Promise<boolean> = async () => true): Promise<readonly string[]> {
    const before = world.calls.length;
    const lastFailedId = world.failures.get('1')?.at(-1)?.eventId ?? null;
    world.hooks.set('1', [{ hookId: '5', state: hookState, lastFailedId }]);
    await watch.look([project], 2, { forge: 'gitlab', signal: never, keepRight: mayGoOn });
    clock.jump(everyMs);
    return resends(world.calls.slice(before));
  }

  async function rounds(count: number): Promise<readonly string[]> {
    const sent: string[] = [];
    for (let number = 0; number < count; number += 1) sent.push(...(await round()));
    return sent;
  }

  const resends = (calls: readonly string[]) =>
    calls.filter((call) => call.startsWith('resend')).map((call) => call.replace('resend 1 ', ''));

  it('are sent again once, comments first, five a round, whatever is no concern of ours left out', async () => {
    const changes = [fail('merge-request'), fail('merge-request'), fail('merge-request')];
    fail('nothing');
    const comments = [fail('comment'), fail('comment'), fail('comment')];

    const first = await round();
    const second = await round();
    const third = await rounds(20);

    expect(first).toEqual([...comments, ...changes.slice(0, 2)]);
    expect(second).toEqual(changes.slice(2));
    expect(third).toEqual([]);
    expect(await registry.getSingleMetricAsString('drydock_hook_resends_total')).toContain('{outcome="delivered"} 6');
  });

  it('are not sent again by the next process, but those that failed since', async () => {
    fail('comment');
    await round();
    watch = begin();
    const after = await rounds(2);
    const later = fail('comment');

    expect(after).toEqual([]);
    expect(await rounds(2)).toEqual([later]);
  });

  it('are sent at most three times, ever more rarely, where the webhook fails for ever', async () => {
    const ids = [fail('comment'), fail('comment'), fail('comment')];
    world.resend = failAgain;

    const firstHours = await rounds(36);
    const sent = [...firstHours, ...(await rounds(3 * 288))];

    expect(firstHours.length).toBeLessThanOrEqual(4);
    expect(ids.map((id) => sent.filter((one) => one === id).length)).toEqual([3, 3, 3]);
    expect(sent).toHaveLength(9);
    expect(warnings.filter((message) => message === 'failed delivery given up')).toHaveLength(3);
  });

  it('reported 39: are all brought after an hour in which the server was away', async () => {
    const ids = Array.from({ length: 8 }, () => fail('comment'));
    world.resend = failAgain;
    await rounds(12);

    world.resend = () => 'delivered';
    const sent = await rounds(24);

    expect([...sent].sort()).toEqual(ids);
  });

  it('wait for a webhook that is stopped, and for the minute that the forge asks for', async () => {
    const id = fail('comment');
    hookState = 'paused';
    const whilePaused = await rounds(6);
    hookState = 'sending';
    const limited = new TransientError('forge.rate_limited', 'slow down', { retryAfterMs: 4 * everyMs });
    world.fault = () => (world.calls.at(-1)?.startsWith('resend') === true ? limited : null);
    const refused = await round();
    world.fault = () => null;
    const asked = await rounds(3);

    expect(whilePaused).toEqual([]);
    expect(refused).toEqual([id]);
    expect(asked).toEqual([]);
    expect(await rounds(2)).toEqual([id]);
  });

  it('are let go where the forge has forgotten them or does not know the question', async () => {
    fail('comment');
    world.resend = () => 'gone';

    expect(await rounds(10)).toHaveLength(1);
  });

  it('are nothing to us where we may not look', async () => {
    fail('comment');
    await watch.look([project], 2, { forge: 'gitlab', signal: never, keepRight: async () => true });

    expect(world.calls).toEqual(['hooks 1']);
    expect(warnings).toEqual([]);
  });

  it('are not sent again when they are older than what is looked at', async () => {
    fail('comment', 'old', 2 * dayMs);
    const recent = fail('comment', 'recent', dayMs / 2);
    const first = await round();
    const late = fail('comment', 'late', 6 * dayMs);
    fail('comment', 'too late', 8 * dayMs);

    expect(first).toEqual([recent]);
    expect(await rounds(3)).toEqual([late]);
  });

  it('are left to whoever has the right to sweep', async () => {
    fail('comment');

    expect(await round(async () => false)).toEqual([]);
    world.meanwhile = async () => {
      world.meanwhile = async () => undefined;
      const { progress, revision } = await state.read('gitlab');
      if (progress !== null) await state.write('gitlab', { ...progress, sweptAtMs: 7 }, revision);
    };
    world.resend = () => {
      void state.read('gitlab').then(async ({ progress, revision }) => {
        if (progress !== null) await state.write('gitlab', { ...progress, sweptAtMs: 8 }, revision);
      });
      return 'delivered';
    };
    await expect(round()).rejects.toThrow(SweepLost);
  });

  it('of a webhook that was removed are forgotten', async () => {
    fail('comment');
    hookState = 'off';
    await round();
    world.hooks.set('1', []);
    await watch.look([project], 2, { forge: 'gitlab', signal: never, keepRight: async () => true });

    expect((await state.read('gitlab')).progress?.hooks).toEqual([]);
  });
});
