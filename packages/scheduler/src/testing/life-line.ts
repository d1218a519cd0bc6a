import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@drydock/core';

/** Hears from programs for as long as they live: each tells its process id again and again. */
export interface LifeLine extends AsyncDisposable {
  /** Where they tell it, such as `fetch(url + process.pid)`. */
  readonly url: string;
  /** Resolves when so many different ones were heard of. */
  heardFrom(count: number): Promise<void>;
  /** Whether somebody is still heard of. */
  isAnythingAlive(): Promise<boolean>;
}

/** The source of a program that tells the life line that it lives, for as long as it does. */
export function telling(url: string): string {
  return `setInterval(() => fetch(${JSON.stringify(url)} + process.pid).catch(() => {}), 25);`;
}

const silenceMs = 300;

/** Opens a life line on loopback. */
export async function openLifeLine(): Promise<LifeLine> {
  let lastBeatMs = -Infinity;
  const heard = new Set<string>();
  const listeners = new Set<() => void>();
  const server = createServer((request, response) => {
    lastBeatMs = performance.now();
    heard.add(request.url ?? '');
    for (const listener of listeners) listener();
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/`,
    heardFrom: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (heard.size < count) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      }),
    async isAnythingAlive() {
      const fromMs = performance.now();
      await systemClock.sleep(silenceMs, new AbortController().signal); // the dead cannot be waited for otherwise
      return lastBeatMs > fromMs;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
