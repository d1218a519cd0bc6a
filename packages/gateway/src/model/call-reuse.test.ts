import { describe, expect, it } from '@jest/globals';
import { silentLog, type RunId } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { aRunRecord } from '../runs/run-builders.ts';
import { maxStoredAnswerBytes, type AnswerStore, type StoredAnswer } from './answer-store.ts';
import { CallReuse } from './call-reuse.ts';

const runId: RunId = aRunRecord().runId;
const messageOf = (text: string) =>
  Buffer.from(
    JSON.stringify({ type: 'message', content: [{ type: 'text', text }], stop_reason: 'end_turn', padding: '' }),
  );
/** A whole message of exactly so many bytes. */
const messageOfBytes = (bytes: number) => messageOf('x'.repeat(bytes - messageOf('').length));

function aStore(): AnswerStore & { readonly kept: Map<string, StoredAnswer> } {
  const kept = new Map<string, StoredAnswer>();
  return { kept, get: async (key) => kept.get(key) ?? null, put: async (key, answer) => void kept.set(key, answer) };
}

async function keep(chunks: readonly Buffer[], answers: AnswerStore): Promise<void> {
  const ports = { answers, clock: new ManualClock(), log: silentLog, onLookup: () => undefined };
  const reuse = new CallReuse(ports, { runId, key: 'k', isStreamed: false, apiKey: null });
  for (const chunk of chunks) reuse.record(chunk);
  await reuse.keep();
}

describe('CallReuse', () => {
  it('keeps an answer up to the cap, in however many pieces it came', async () => {
    const store = aStore();
    const body = messageOfBytes(maxStoredAnswerBytes);
    await keep([body.subarray(0, 100), body.subarray(100, 101), body.subarray(101)], store);

    expect(store.kept.get('k')?.body.equals(body)).toBe(true);
  });

  it('keeps none that is larger, nor its end', async () => {
    const store = aStore();
    await keep([messageOfBytes(maxStoredAnswerBytes + 1), messageOf('the end')], store);

    expect(store.kept.size).toBe(0);
  });

  it('keeps nothing of a call that was not answered', async () => {
    const store = aStore();
    await keep([], store);

    expect(store.kept.size).toBe(0);
  });
});
