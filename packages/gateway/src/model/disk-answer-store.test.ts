import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog, systemClock, type Clock, type Log } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { answerStoreContract, keyOf } from './answer-store.contract.ts';
import { DiskAnswerStore, type DiskAnswerStoreSettings } from './disk-answer-store.ts';

let parent: string;
let folder: string;
let ids = 0;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'drydock-answers-'));
  folder = join(parent, 'cache', 'answers');
});
afterEach(async () => {
  await rm(parent, { recursive: true, force: true });
});

function openStore(
  clock: Clock,
  { log = silentLog, ...settings }: Partial<DiskAnswerStoreSettings> & { log?: Log } = {},
): Promise<DiskAnswerStore> {
  return DiskAnswerStore.open({ folder, ...settings }, { clock, log, createId: () => String((ids += 1)) });
}

answerStoreContract((clock) => openStore(clock, { maxBytes: 64 * 1024 }));

const key = keyOf('a');
const answer = { body: Buffer.from('event: message_stop\n\n') };
const pathOf = (name: string) => join(folder, `${keyOf(name)}.answer`);
const folderBytes = async () => {
  const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
};

describe('DiskAnswerStore', () => {
  it('lets nobody else read or write', async () => {
    const store = await openStore(systemClock);
    await store.put(key, answer);

    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(pathOf('a'))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual([`${key}.answer`]);
  });

  it('is read by a store that is opened later', async () => {
    await (await openStore(systemClock)).put(key, answer);

    expect(await (await openStore(systemClock)).get(key)).toEqual(answer);
  });

  it.each([
    ['that others can write to', async () => chmod(folder, 0o777)],
    [
      'that is a link',
      async () => {
        await rename(folder, `${folder}-2`);
        await symlink(`${folder}-2`, folder);
      },
    ],
    [
      'that is a file',
      async () => {
        await rm(folder, { recursive: true });
        await writeFile(folder, '');
      },
    ],
  ])('refuses a folder %s', async (_, spoil) => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await spoil();

    await expect(openStore(systemClock)).rejects.toMatchObject({
      kind: 'config',
      message: expect.stringContaining(folder),
    });
  });

  describe('files that are no answers', () => {
    const whole = async () => readFile(pathOf('a'));
    it.each<[string, () => Promise<unknown>]>([
      ['is empty', async () => writeFile(pathOf('a'), '')],
      ['was cut', async () => writeFile(pathOf('a'), (await whole()).subarray(0, -1))],
      ['has more at its end', async () => writeFile(pathOf('a'), Buffer.concat([await whole(), Buffer.from('\n')]))],
      [
        'has another byte',
        async () => writeFile(pathOf('a'), (await whole()).toString().replace('message_stop', 'message_stoq')),
      ],
      ['is the answer of another key', async () => rename(pathOf('b'), pathOf('a'))],
      ['was written by something else', async () => writeFile(pathOf('a'), '{"answer": 42}')],
      ['is too large', async () => writeFile(pathOf('a'), Buffer.alloc(5 * 1024 * 1024))],
      ['cannot be read', async () => chmod(pathOf('a'), 0o000)],
      [
        'is a link, even to a whole answer',
        async () => {
          await rename(pathOf('a'), join(parent, 'elsewhere'));
          await symlink(join(parent, 'elsewhere'), pathOf('a'));
        },
      ],
      [
        'is a pipe that nobody writes to',
        async () => {
          await rm(pathOf('a'));
          await once(spawn('sh', ['-c', 'mkfifo "$0"', pathOf('a')]), 'exit');
        },
      ],
    ])('forgets and removes a file that %s', async (what, spoil) => {
      const store = await openStore(systemClock);
      await store.put(key, answer);
      await store.put(keyOf('b'), { body: Buffer.from('b') });
      await spoil();
      const canReadAll = what === 'cannot be read' && process.getuid?.() === 0;

      expect(await store.get(key)).toEqual(canReadAll ? answer : null);
      if (!canReadAll) await expect(stat(pathOf('a'))).rejects.toMatchObject({ code: 'ENOENT' });
      await store.put(key, answer);
      expect(await store.get(key)).toEqual(answer);
    });

    it('leaves alone what has another name', async () => {
      const store = await openStore(systemClock, { maxBytes: 1000 });
      const others = ['notes.txt', 'short.answer', `${key}.answer.bak`, 'x.tmp'];
      await Promise.all(others.map((name) => writeFile(join(folder, name), Buffer.alloc(2000))));
      await Promise.all(others.map((name) => utimes(join(folder, name), 1, 1)));
      for (let index = 0; index < 9; index += 1) await store.put(keyOf(String(index)), { body: Buffer.alloc(500) });

      expect(await readdir(folder)).toEqual(expect.arrayContaining(others));
    });

    it('goes on beside a folder that stands where an answer should', async () => {
      const store = await openStore(systemClock);
      await mkdir(pathOf('a'));

      await store.put(key, answer);
      expect(await store.get(key)).toBeNull();
      await store.put(keyOf('b'), answer);
      expect(await store.get(keyOf('b'))).toEqual(answer);
    });
  });

  it('removes files that a process left between writing and renaming, once nobody can be at them', async () => {
    const clock = new ManualClock();
    const store = await openStore(clock, { maxBytes: 1000 });
    const name = `${key}.dead-1.tmp`;
    await writeFile(join(folder, name), 'half of an ans');
    await utimes(join(folder, name), clock.nowMs() / 1000, clock.nowMs() / 1000);

    await store.put(keyOf('b'), answer);
    expect(await store.get(key)).toBeNull();
    expect(await readdir(folder)).toContain(name);
    await clock.advance(10 * 60_000 + 1);
    await store.put(keyOf('c'), { body: Buffer.alloc(500) });

    expect(await readdir(folder)).not.toContain(name);
  });

  it('never takes more room than it may, and frees what has expired', async () => {
    const clock = new ManualClock();
    const store = await openStore(clock, { maxBytes: 20_000 });
    for (let index = 0; index < 60; index += 1) {
      await store.put(keyOf(String(index)), { body: Buffer.alloc(100 + ((index * 397) % 3000)) });
      await clock.advance(1000);
      expect(await folderBytes()).toBeLessThanOrEqual(20_000);
    }
    await clock.advance(24 * 3_600_000 + 1);
    await (await openStore(clock, { maxBytes: 20_000 })).put(key, answer);

    expect(await readdir(folder)).toEqual([`${key}.answer`]);
  });

  it.each([
    ['the folder is gone', async () => rm(folder, { recursive: true })],
    ['the folder became a file', async () => rm(folder, { recursive: true }).then(() => writeFile(folder, ''))],
  ])('fails nobody when %s, and says so once', async (_, spoil) => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_facts, message) => warnings.push(message) };
    const store = await openStore(systemClock, { log });
    await spoil();

    for (let round = 0; round < 3; round += 1) {
      await store.put(key, answer);
      expect(await store.get(key)).toBeNull();
    }

    expect(warnings).toEqual(['answers of the model cannot be kept or read']);
  });

  it('opens where no folder can be made, and keeps nothing', async () => {
    await writeFile(join(parent, 'cache'), '');
    const warnings: string[] = [];

    const store = await openStore(systemClock, { log: { ...silentLog, warn: (_, message) => warnings.push(message) } });
    await store.put(key, answer);

    expect(await store.get(key)).toBeNull();
    expect(warnings).toHaveLength(1);
  });

  describe('shared by processes', () => {
    /** Stores and reads answers until it has done so many, or is killed; says so when it met one that was not whole. */
    const worker = (rounds: number, seed: number) => `
      const { DiskAnswerStore } = await import(${JSON.stringify(new URL('disk-answer-store.ts', import.meta.url).href)});
      const { createHash, randomUUID } = await import('node:crypto');
      const log = { warn: (facts) => console.log('trouble ' + facts.reason) };
      const clock = { nowMs: () => Date.now() };
      const store = await DiskAnswerStore.open({ folder: ${JSON.stringify(folder)}, maxBytes: 200_000 }, { clock, log, createId: randomUUID });
      console.log('ready');
      for (let round = ${String(seed)}; round < ${String(rounds)}; round += 1) {
        const name = String(round % 40);
        const key = createHash('sha256').update(name).digest('hex');
        const found = await store.get(key);
        if (found !== null && found.body.toString() !== name.repeat(3000)) console.log('wrong');
        await store.put(key, { body: Buffer.from(name.repeat(3000)) });
      }`;
    const start = (rounds: number, seed: number) =>
      spawn(process.execPath, ['--input-type=module', '-e', worker(rounds, seed)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });

    it('mixes up nothing and stays in its bounds', async () => {
      const children = [0, 7, 21].map((seed) => start(200, seed));

      const outputs = await Promise.all(
        children.map(async (child) => {
          const chunks: Buffer[] = [];
          for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
          return Buffer.concat(chunks).toString();
        }),
      );

      expect(outputs).toEqual(['ready\n', 'ready\n', 'ready\n']);
      expect(await folderBytes()).toBeLessThanOrEqual(200_000 * 1.5);
      const store = await openStore(systemClock, { maxBytes: 200_000 });
      for (let name = 0; name < 40; name += 1) {
        const found = await store.get(keyOf(String(name)));
        if (found !== null) expect(found.body.toString()).toBe(String(name).repeat(3000));
      }
    });

    it('holds whole answers alone after one was killed at its work', async () => {
      const child = start(1_000_000, 0);
      await once(child.stdout, 'data');
      const store = await openStore(systemClock, { maxBytes: 200_000 });
      while ((await readdir(folder)).length < 5) await new Promise((resolve) => setTimeout(resolve, 1));
      child.kill('SIGKILL');
      await once(child, 'exit');

      const names = (await readdir(folder)).filter((name) => name.endsWith('.answer'));
      const found = await Promise.all(names.map((name) => store.get(name.slice(0, 64))));

      expect(names.length).toBeGreaterThanOrEqual(4);
      for (const one of found) expect(one?.body.toString()).toMatch(/^(\d\d?)\1*$/);
    });
  });
});
