import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { isMade, makeProduct } from './make-product.ts';

async function aCache(): Promise<AsyncDisposable & { readonly path: string; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-cache-'));
  return {
    folder,
    path: join(folder, 'bin', 'tool'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const writes = (text: string) => (unfinished: string) => writeFile(unfinished, text);
const isRight = async () => undefined;

describe('makeProduct', () => {
  it('leaves what was made and checked, and nothing else of it', async () => {
    await using cache = await aCache();

    await makeProduct(cache.path, { make: writes('program'), check: isRight });

    expect(isMade(cache.path)).toBe(true);
    expect(readdirSync(join(cache.path, '..')).sort()).toEqual(['tool', 'tool.made']);
  });

  it('does not take what fails its check, and says why', async () => {
    await using cache = await aCache();
    const check = async () => {
      throw new Error('tells another version');
    };

    const making = makeProduct(cache.path, { make: writes('program'), check });

    await expect(making).rejects.toThrow('tells another version');
    expect(isMade(cache.path)).toBe(false);
    expect(existsSync(cache.path)).toBe(false);
  });

  it('removes what a killed maker left, and makes it anew', async () => {
    await using cache = await aCache();
    const failing = async (unfinished: string) => {
      writeFileSync(unfinished, 'half');
      throw new Error('killed');
    };
    await makeProduct(cache.path, { make: failing, check: isRight }).catch(() => undefined);
    writeFileSync(`${cache.path}.unfinished-1`, 'of another one');

    await makeProduct(cache.path, { make: writes('whole'), check: isRight });

    expect(await readFile(cache.path, 'utf8')).toBe('whole');
    expect(readdirSync(join(cache.path, '..')).sort()).toEqual(['tool', 'tool.made']);
  });

  it.each([
    ['cut off', (path: string) => truncateSync(path, 3)],
    ['renamed before it was said to be made', (path: string) => writeFileSync(`${path}.made`, '')],
  ])('does not trust a product that was %s', async (_, spoil) => {
    await using cache = await aCache();
    await makeProduct(cache.path, { make: writes('program'), check: isRight });

    spoil(cache.path);

    expect(isMade(cache.path)).toBe(false);
  });
});
