import { TransientError } from '@drydock/core';

interface Waiter {
  readonly key: string;
  readonly start: () => void;
}

/** Lets so much work run at once, in all and for each key; the rest waits in the order it came. */
export class Slots {
  readonly #limits: { readonly total: number; readonly perKey: number };
  readonly #running = new Map<string, number>();
  readonly #waiting: Waiter[] = [];
  #total = 0;

  constructor(limits: { readonly total: number; readonly perKey: number }) {
    this.#limits = limits;
  }

  /** Runs the work in its turn. Throws `TransientError` (`aborted`) if the signal ends the wait. */
  async use<Result>(key: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    await this.#turn(key, signal);
    try {
      return await work();
    } finally {
      this.#count(key, -1);
      this.#startNext();
    }
  }

  async #turn(key: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw givenUp();
    if (this.#hasRoom(key)) {
      this.#count(key, 1);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(givenUp());
      };
      const waiter: Waiter = {
        key,
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.push(waiter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #startNext(): void {
    const next = this.#waiting.findIndex(({ key }) => this.#hasRoom(key));
    const [waiter] = next < 0 ? [] : this.#waiting.splice(next, 1);
    if (waiter === undefined) return;
    this.#count(waiter.key, 1);
    waiter.start();
  }

  #hasRoom(key: string): boolean {
    return this.#total < this.#limits.total && (this.#running.get(key) ?? 0) < this.#limits.perKey;
  }

  #count(key: string, change: 1 | -1): void {
    this.#total += change;
    const running = (this.#running.get(key) ?? 0) + change;
    if (running === 0) this.#running.delete(key);
    else this.#running.set(key, running);
  }
}

function givenUp(): TransientError {
  return new TransientError('aborted', 'nobody waits for this any more');
}
