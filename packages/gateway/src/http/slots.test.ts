import { describe, expect, it } from '@jest/globals';
import { Slots } from './slots.ts';

const never = new AbortController().signal;

function gate() {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { wait: () => promise, open: () => resolve(undefined) };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Slots', () => {
  it('runs so many at once, in all and for a key, and the others in their order', async () => {
    const slots = new Slots({ total: 3, perKey: 2 });
    const gates = [gate(), gate(), gate(), gate(), gate()];
    const started: string[] = [];
    const use = (key: string, index: number) =>
      slots.use(key, never, async () => {
        started.push(`${key}${String(index)}`);
        await gates[index]?.wait();
      });

    const works = [use('a', 0), use('a', 1), use('a', 2), use('b', 3), use('b', 4)];
    await settle();
    expect(started).toEqual(['a0', 'a1', 'b3']);

    gates[3]?.open();
    await settle();
    expect(started).toEqual(['a0', 'a1', 'b3', 'b4']);

    for (const { open } of gates) open();
    await Promise.all(works);
    expect(started).toEqual(['a0', 'a1', 'b3', 'b4', 'a2']);
  });

  it('gives the place back when the work fails', async () => {
    const slots = new Slots({ total: 1, perKey: 1 });

    await expect(slots.use('a', never, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');

    await expect(slots.use('a', never, async () => 1)).resolves.toBe(1);
  });

  it('forgets who gives up waiting', async () => {
    const slots = new Slots({ total: 1, perKey: 1 });
    const held = gate();
    const first = slots.use('a', never, held.wait);
    const leaving = new AbortController();
    const second = slots.use('a', leaving.signal, async () => 2);

    leaving.abort();

    await expect(second).rejects.toMatchObject({ code: 'aborted' });
    held.open();
    await first;
    await expect(slots.use('a', never, async () => 3)).resolves.toBe(3);
  });
});
