import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { imageFolder, isKept, keepImage } from './image-archives.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-archives-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const key = (n: number) => n.toString(16).padStart(16, '0');
const image = (n: number, name = 'agent') => ({
  reference: `localhost/drydock/${name}:${key(n)}`,
  archive: join(folder, `${name}-${key(n)}.tar`),
});

describe('built images', () => {
  it('lie outside of every checkout, where the user keeps caches', () => {
    expect(imageFolder({ XDG_CACHE_HOME: '/caches' })).toBe('/caches/drydock/images');
    expect(imageFolder({})).toMatch(/\/[.]cache\/drydock\/images$/);
  });

  it('are kept once they are whole', async () => {
    await writeFile(`${image(1).archive}.new`, 'half');

    expect(await isKept(image(1).archive)).toBe(false);
  });

  it('stay while they are among the last three that were used; the rest goes, from the store as well', async () => {
    const forgotten: string[] = [];
    const forget = async (reference: string) => void forgotten.push(reference);
    await writeFile(image(9, 'server').archive, '');
    await writeFile(join(folder, 'agent-notes.tar'), '');

    for (const [index, n] of [1, 2, 3, 1, 4].entries()) {
      await writeFile(image(n).archive, '');
      await keepImage(image(n), forget, 1e12 + index * 1000);
    }

    expect(await readdir(folder).then((files) => files.sort())).toEqual(
      [
        `agent-${key(1)}.tar`,
        `agent-${key(3)}.tar`,
        `agent-${key(4)}.tar`,
        'agent-notes.tar',
        `server-${key(9)}.tar`,
      ].sort(),
    );
    expect(forgotten).toEqual([image(2).reference]);
  });
});
