import { describe, expect, it } from '@jest/globals';
import { BlockedError, TransientError, silentLog } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import type { Model, ModelRequest, ModelTurn } from './model.ts';
import { sendTurn } from './send-turn.ts';

const request: ModelRequest = { model: 'm', max_tokens: 1, system: [], tools: [], messages: [] };
const turn: ModelTurn = { content: [], stopReason: 'end_turn' };
const never = new AbortController().signal;

/** Answers with these, one after another. */
function modelOf(...answers: readonly (ModelTurn | Error)[]): Model & { asked: number } {
  const model = {
    asked: 0,
    reply: async () => {
      const answer = answers[model.asked];
      model.asked += 1;
      if (answer === undefined) throw new Error('asked too often');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  return model;
}

function send(model: Model, clock: ManualClock, leftMs = 600_000, signal = never): Promise<ModelTurn> {
  return sendTurn(request, { model, clock, log: silentLog, random: () => 0.5, leftMs: () => leftMs }, signal);
}

const overloaded = new TransientError('model.overloaded', 'overloaded');
const broken = new TransientError('model.stream_broken', 'broken');

describe('sendTurn', () => {
  it('sends again after a growing time', async () => {
    const clock = new ManualClock();
    const model = modelOf(broken, broken, turn);
    const sent = send(model, clock);

    await clock.advance(499);
    expect(model.asked).toBe(1);
    await clock.advance(1);
    expect(model.asked).toBe(2);
    await clock.advance(1000);

    expect(await sent).toBe(turn);
  });

  it('waits longer for an overloaded model, and as long as it was told', async () => {
    const clock = new ManualClock();
    const model = modelOf(overloaded, new TransientError('model.rate_limited', '', { retryAfterMs: 7000 }), turn);
    const sent = send(model, clock);

    await clock.advance(1000);
    expect(model.asked).toBe(2);
    await clock.advance(6999);
    expect(model.asked).toBe(2);
    await clock.advance(1);

    expect(await sent).toBe(turn);
  });

  it('gives up after five times', async () => {
    const clock = new ManualClock();
    const model = modelOf(...Array.from({ length: 6 }, () => broken));
    const sent = send(model, clock);
    sent.catch(() => undefined);

    await clock.advance(100_000);

    await expect(sent).rejects.toBe(broken);
    expect(model.asked).toBe(5);
  });

  it('begins no wait that would end after the deadline', async () => {
    const late = new TransientError('model.rate_limited', '', { retryAfterMs: 60_000 });

    await expect(send(modelOf(late, turn), new ManualClock(), 59_000)).rejects.toBe(late);
  });

  it('does not repeat what no repetition mends', async () => {
    const blocked = new BlockedError('model.billing', 'pay');

    await expect(send(modelOf(blocked, turn), new ManualClock())).rejects.toBe(blocked);
  });

  it('ends at once when it is told to, with the reason', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sent = send(modelOf(broken, turn), clock, 600_000, stop.signal);
    sent.catch(() => undefined);
    await clock.advance(1);

    stop.abort(new BlockedError('model.billing', 'over'));

    await expect(sent).rejects.toMatchObject({ message: 'over' });
  });
});
