import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { AwaitProgress } from './await-progress.ts';
import { MemoryRunStore } from './memory-run-store.ts';
import { aRunRecord } from './run-builders.ts';

const never = new AbortController().signal;
const { runId } = aRunRecord();

describe('AwaitProgress', () => {
  async function scene() {
    const store = new MemoryRunStore();
    await store.start(aRunRecord(), 'hash');
    await store.addProgress(runId, [{ kind: 'turn', turn: 1 }], 1000);
    const clock = new ManualClock();
    return { store, clock, progress: new AwaitProgress(store, clock) };
  }

  it('answers at once with what there is, and when nobody waits', async () => {
    const { progress } = await scene();

    expect(await progress.after(runId, { after: 0, waitMs: 5000 }, never)).toMatchObject([{ seq: 1 }]);
    expect(await progress.after(runId, { after: 1, waitMs: 0 }, never)).toEqual([]);
  });

  it('tells what an agent did within a fifth of a second', async () => {
    const { store, clock, progress } = await scene();
    const waiting = progress.after(runId, { after: 1, waitMs: 5000 }, never);

    await clock.advance(1000);
    await store.addProgress(runId, [{ kind: 'turn', turn: 2 }], 2000);
    await clock.advance(200);

    expect(await waiting).toMatchObject([{ seq: 2 }]);
  });

  it('waits no longer than was asked for, nor than five seconds', async () => {
    const { clock, progress } = await scene();
    const short = progress.after(runId, { after: 1, waitMs: 300 }, never);
    const long = progress.after(runId, { after: 1, waitMs: 1_000_000 }, never);

    await clock.advance(300);
    expect(await short).toEqual([]);
    await clock.advance(4700);
    expect(await long).toEqual([]);
  });

  it('ends when who waits has left', async () => {
    const { progress } = await scene();
    const left = new AbortController();
    const waiting = progress.after(runId, { after: 1, waitMs: 5000 }, left.signal);

    left.abort();

    expect(await waiting).toEqual([]);
  });
});
