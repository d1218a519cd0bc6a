/**
 * What one call has to do with the answer store: asked before anything is paid, given the answer once it ended whole.
 * Two equal calls at the same time both find nothing and both pay, once each: to let one wait for the other would tie
 * it to an agent that may leave, for a case that hardly comes (a task has one launch alive, and its turns are in a row).
 * A store that fails or hangs is as good as none.
 */
import type { Clock, Log, RunId, Secret } from '@drydock/core';
import { maxStoredAnswerBytes, type AnswerStore, type StoredAnswer } from './answer-store.ts';
import { reasonOf } from './relay-answer.ts';
import { WholeStreamCheck, isWholeMessage } from './whole-answer.ts';

/** What became of asking the store. */
export type AnswerLookup = 'hit' | 'miss' | 'failed';

/** What reusing answers needs of the world. */
export interface ReusePorts {
  /** Null: none are kept. */
  readonly answers: AnswerStore | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly onLookup: (lookup: AnswerLookup) => void;
}

/** What the store is asked and told of a call. */
export interface ReusedCall {
  readonly runId: RunId;
  readonly key: string;
  readonly isStreamed: boolean;
  /** The answer of a server that echoes it is not kept. */
  readonly apiKey: Secret | null;
}

/** Longer is not waited for a store: the model would have begun to answer. */
const maxStoreMs = 2_000;

type Asked<Answer> = { readonly kind: 'told'; readonly answer: Answer } | { readonly kind: 'failed' };

/** One call and the answer store. */
export class CallReuse {
  readonly #ports: ReusePorts;
  readonly #call: ReusedCall;
  readonly #chunks: Buffer[] = [];
  readonly #stream = new WholeStreamCheck();
  #bytes = 0;

  constructor(ports: ReusePorts, call: ReusedCall) {
    this.#ports = ports;
    this.#call = call;
  }

  /** The answer that the same call had before; null: it must be asked. Throws the signal's reason once that is aborted. */
  async find(signal: AbortSignal): Promise<StoredAnswer | null> {
    const { answers, onLookup } = this.#ports;
    if (answers === null) return null;
    const asked = await this.#ask(() => answers.get(this.#call.key), signal);
    if (signal.aborted) throw reasonOf(signal);
    const found = asked.kind === 'told' ? asked.answer : null;
    onLookup(asked.kind === 'failed' ? 'failed' : found === null ? 'miss' : 'hit');
    return found;
  }

  /** Takes the next bytes of the live answer. What is over the cap is not held. */
  record(chunk: Buffer): void {
    if (this.#ports.answers === null || this.#bytes > maxStoredAnswerBytes) return;
    this.#bytes += chunk.length;
    if (this.#bytes > maxStoredAnswerBytes) {
      this.#chunks.length = 0;
      return;
    }
    this.#chunks.push(chunk);
    if (this.#call.isStreamed) this.#stream.feed(chunk);
  }

  /** Stores what was recorded if it is a whole answer, whether or not the agent was there to the end. Never throws. */
  async keep(): Promise<void> {
    const { answers } = this.#ports;
    if (answers === null || this.#bytes === 0 || this.#bytes > maxStoredAnswerBytes) return;
    const body = Buffer.concat(this.#chunks);
    const { key, isStreamed, apiKey } = this.#call;
    const isWhole = isStreamed ? this.#stream.isWhole : isWholeMessage(body);
    if (!isWhole || (apiKey !== null && body.includes(apiKey.reveal()))) return;
    await this.#ask(() => answers.put(key, { body }), new AbortController().signal);
  }

  async #ask<Answer>(question: () => Promise<Answer>, signal: AbortSignal): Promise<Asked<Answer>> {
    const over = new AbortController();
    const { clock, log } = this.#ports;
    const facts = { runId: this.#call.runId };
    const asked = question().then(
      (answer): Asked<Answer> => ({ kind: 'told', answer }),
      (err: unknown): Asked<Answer> => {
        log.warn({ ...facts, err }, 'the answer store fails');
        return { kind: 'failed' };
      },
    );
    const late = clock.sleep(maxStoreMs, AbortSignal.any([signal, over.signal])).then((): Asked<Answer> => {
      if (!signal.aborted && !over.signal.aborted) log.warn(facts, 'the answer store does not answer in time');
      return { kind: 'failed' };
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      over.abort();
    }
  }
}
