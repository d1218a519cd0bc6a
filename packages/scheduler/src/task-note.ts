import {
  DrydockError,
  type Log,
  type MergeRequest,
  type MergeRequestRef,
  type ReviewState,
  type Sha,
} from '@drydock/core';
import type { Gateway } from './gateway.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { AppliedPolicy } from './policies/policy-source.ts';

interface NotePorts {
  readonly gateway: Gateway;
  readonly log: Log;
  readonly heartbeat: Heartbeat;
  /** Aborted when the work on the task is to stop. */
  readonly signal: AbortSignal;
}

/** Limit of telling a state: a forge that hangs must not keep a task from ending. */
const limitMs = 20_000;

/** As `AbortSignal.any` with a timeout, but that nothing of it stays with a signal that lasts as long as the run. */
function limitOf(signal: AbortSignal | null): Disposable & { readonly signal: AbortSignal } {
  const limit = new AbortController();
  const abort = () => {
    limit.abort(signal?.reason);
  };
  const timer = setTimeout(abort, limitMs);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  return {
    signal: limit.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

/** The summary note on the merge request of a task, as far as the scheduler writes it. */
export class TaskNote {
  readonly #ports: NotePorts;
  readonly #subject: MergeRequestRef;
  /** Null: not known yet, or there is none. */
  #headSha: Sha | null = null;
  #isHeadReviewed = false;
  #isAsked = false;
  #isEnding = false;
  #commitStatus: boolean | null = null;

  constructor(ports: NotePorts, subject: MergeRequestRef) {
    this.#ports = ports;
    this.#subject = subject;
  }

  /** What the note is about. `isReviewed`: the review of this very head stands in it. */
  about({ headSha }: MergeRequest, isReviewed: boolean): void {
    this.#headSha = headSha;
    this.#isHeadReviewed = isReviewed;
  }

  /** Whether it is also told as a commit status; not said: the gateway's own policy decides. */
  under({ name, review }: AppliedPolicy): void {
    this.#commitStatus = name === null ? null : review.commitStatus;
  }

  /** Somebody who may ask waits for an answer: a failure is told even where there is no note. */
  askedFor(): void {
    this.#isAsked = true;
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** The task is being ended: that it is no longer wanted changes nothing any more, but a lost lease does. */
  ending(): void {
    this.#isEnding = true;
  }

  /** False: it could not be told, or would hide a review that stands. */
  async showFailure(why: string, willRetry: boolean): Promise<boolean> {
    if (this.#headSha === null || (this.#isHeadReviewed && !this.#isAsked)) return false;
    const state = { kind: 'failed', headSha: this.#headSha, why: why.slice(0, 1000), willRetry } as const;
    return this.show(state, !willRetry || this.#isAsked);
  }

  /**
   * Says that the review which the note announces will not come. What stands there is asked for first: a review may have
   * been published meanwhile, and who has it no more may have written the note.
   */
  async showCancelled(why: string): Promise<void> {
    const { gateway, log } = this.#ports;
    try {
      const { reviewed, headSha } = await gateway.readMergeRequest(this.#subject, AbortSignal.timeout(limitMs));
      const isAnnounced = reviewed?.state === 'reviewing' || reviewed?.state === 'failed';
      if (!isAnnounced && !(reviewed === null && this.#isAsked)) return;
      const state = { kind: 'skipped', headSha: reviewed?.headSha ?? headSha, why: why.slice(0, 500) } as const;
      await this.show(state, this.#isAsked);
    } catch (err) {
      if (!(err instanceof DrydockError) && !(err instanceof DOMException)) throw err;
      log.warn({ err }, 'summary note not read');
    }
  }

  /** Writes the note; `createNote` false: only one that stands already. False: the forge does not take it. */
  async show(state: ReviewState, createNote: boolean): Promise<boolean> {
    const { gateway, log, heartbeat, signal } = this.#ports;
    using limit = limitOf(this.#isEnding ? null : signal);
    try {
      if (!this.#isEnding) heartbeat.check();
      else if (!heartbeat.isHeld()) return false;
      const status = this.#commitStatus === null ? {} : { commitStatus: this.#commitStatus };
      await gateway.writeState(this.#subject, { v: 1, state, createNote, ...status }, limit.signal);
      return true;
    } catch (err) {
      if (!this.#isEnding) signal.throwIfAborted();
      if (!(err instanceof DrydockError) && !limit.signal.aborted) throw err;
      log.warn({ state: state.kind, err }, 'summary note not written');
      return false;
    }
  }
}
