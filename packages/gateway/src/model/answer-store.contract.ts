import { beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { ManualClock } from '@drydock/testkit';
import { maxStoredAnswerBytes, type AnswerStore } from './answer-store.ts';

/** A key, as good as any. */
export const keyOf = (name: string): string => createHash('sha256').update(name).digest('hex');

const hourMs = 3_600_000;

/**
 * What every answer store must do. `open` gives one that holds nothing, takes 64 KiB and keeps answers for a day of
 * the clock.
 */
export function answerStoreContract(open: (clock: ManualClock) => Promise<AnswerStore>): void {
  describe('AnswerStore', () => {
    let clock: ManualClock;
    let store: AnswerStore;
    beforeEach(async () => {
      clock = new ManualClock();
      store = await open(clock);
    });

    const put = (name: string, body: Buffer | string) => store.put(keyOf(name), { body: Buffer.from(body) });
    const get = async (name: string) => (await store.get(keyOf(name)))?.body;

    it('knows nothing at first', async () => {
      expect(await store.get(keyOf('a'))).toBeNull();
    });

    it('gives an answer back byte for byte, under its own key alone', async () => {
      const bytes = Buffer.from(Array.from({ length: 2000 }, (_, index) => (index * 7) % 256));
      await put('a', bytes);

      expect(await get('a')).toEqual(bytes);
      expect(await get('a')).toEqual(bytes);
      expect(await get('b')).toBeUndefined();
    });

    it('keeps the newest answer of a key', async () => {
      await put('a', 'first');
      await put('a', 'second');

      expect(String(await get('a'))).toBe('second');
    });

    it('forgets an answer a day after it was stored, however often it was used', async () => {
      await put('a', 'text');
      for (let hours = 0; hours < 24; hours += 4) {
        expect(await get('a')).toBeDefined();
        await clock.advance(4 * hourMs);
      }
      expect(await get('a')).toBeDefined();
      await clock.advance(1000);

      expect(await get('a')).toBeUndefined();
    });

    it('drops what was not used for longest when there is too much', async () => {
      const body = Buffer.alloc(15 * 1024, 1);
      for (const name of ['a', 'b', 'c', 'd']) {
        await put(name, body);
        await clock.advance(1000);
      }
      await get('a');
      await clock.advance(1000);
      await put('e', body);

      expect(await get('b')).toBeUndefined();
      expect(await get('a')).toEqual(body);
      expect(await get('e')).toEqual(body);
    });

    it('keeps nothing that is too large', async () => {
      await put('a', Buffer.alloc(65 * 1024));
      await put('b', Buffer.alloc(maxStoredAnswerBytes + 1));

      expect(await get('a')).toBeUndefined();
      expect(await get('b')).toBeUndefined();
    });

    it('gives whole answers alone to those who ask while others store', async () => {
      const bodies = ['x', 'y', 'z'].map((letter) => letter.repeat(5000));
      await put('a', bodies[0] ?? '');

      const seen = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          if (index % 3 === 0) await put('a', bodies[(index / 3) % 3] ?? '');
          return String(await get('a'));
        }),
      );

      for (const text of seen) expect(bodies).toContain(text);
    });
  });
}
