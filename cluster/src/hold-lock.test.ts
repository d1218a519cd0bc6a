import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { holdLock, type LockHolder } from './hold-lock.ts';
import { poll } from './poll.ts';

const signal = AbortSignal.timeout(120_000);
const aName = () => `test-${randomBytes(6).toString('hex')}`;

/** A process that holds it, and says so, until it is killed. */
function spawnHolder(name: string) {
  const module = JSON.stringify(join(import.meta.dirname, 'hold-lock.ts'));
  const program = `import { holdLock } from ${module};
    await holdLock('${name}', () => 'dying', { signal: new AbortController().signal });
    console.log('held'); setInterval(() => undefined, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', program]);
}

describe('holdLock', () => {
  it('lets one in at a time, and tells the others who is in', async () => {
    const name = aName();
    const first = await holdLock(name, () => 'building runc', { signal });
    let seen: LockHolder | undefined;
    const told = new Promise<void>((resolve) => {
      void holdLock(name, () => 'next', {
        signal,
        onWait: (holder) => {
          seen = holder;
          resolve();
        },
      }).then((second) => second[Symbol.asyncDispose]());
    });

    await told;
    await first[Symbol.asyncDispose]();
    await using _third = await holdLock(name, () => 'third', { signal });

    expect(seen).toEqual({ pid: process.pid, doing: 'building runc' });
  });

  it('is free as soon as its holder was killed', async () => {
    const name = aName();
    const holder = spawnHolder(name);
    await once(holder.stdout, 'data');
    let waitedFor: number | undefined;

    await using _lock = await holdLock(name, () => 'after it', {
      signal,
      onWait: ({ pid }) => {
        waitedFor = pid;
        holder.kill('SIGKILL');
      },
    });

    expect(waitedFor).toBe(holder.pid);
  });

  it('is free when its holder was killed before it took a waiter in', async () => {
    const name = aName();
    const holder = spawnHolder(name);
    await once(holder.stdout, 'data');
    holder.kill('SIGSTOP');

    const waiting = holdLock(name, () => 'after it', { signal });
    const sockets = () => readFileSync('/proc/net/unix', 'utf8').split(`@drydock-${name}\n`).length - 1;
    await poll(() => sockets() === 2, { what: 'it waits', timeoutMs: 10_000, everyMs: 5, signal });
    holder.kill('SIGKILL');

    await using lock = await waiting;
    expect(lock).toBeDefined();
  });

  it('is not waited for once the wait is aborted', async () => {
    const name = aName();
    await using _first = await holdLock(name, () => 'staying', { signal });
    const abort = new AbortController();

    const second = holdLock(name, () => 'next', { signal: abort.signal, onWait: () => abort.abort() });

    await expect(second).rejects.toThrow(/abort/i);
  });
});
