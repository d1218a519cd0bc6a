/**
 * Answers in a folder, one file each. Several processes may share it, without a lock: a file is written under a name of
 * its own and renamed, so that nobody ever reads a half; whoever finds it broken or too old removes it; what two remove
 * at once is removed. Nothing is synced to the disk: what a power cut leaves half, its checksum tells.
 *
 * The time of a file's last change is when the answer was stored, that of its last access when it was last used; both
 * are set from our clock.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type Clock, type Log } from '@drydock/core';
import { decodeAnswer, encodeAnswer, maxAnswerFileBytes } from './answer-file.ts';
import type { AnswerStore, StoredAnswer } from './answer-store.ts';
import { isFresh, planAnswerSweep, type AnswerFile } from './plan-answer-sweep.ts';

/** Where answers are kept, how many and for how long. */
export interface DiskAnswerStoreSettings {
  /** Made if it is not there. It holds model output about private code: nobody else may write to it. */
  readonly folder: string;
  /** All files together; default 256 MiB. */
  readonly maxBytes?: number;
  /** Since an answer was stored; default a day. */
  readonly maxAgeMs?: number;
}

/** What a store on disk needs of the world. */
export interface DiskAnswerStoreWorld {
  readonly clock: Clock;
  readonly log: Log;
  /** Names temporary files: letters, digits and hyphens. */
  readonly createId: () => string;
}

const answerName = /^[0-9a-f]{64}\.answer$/;
const temporaryName = /^[0-9a-f]{64}\.[\w-]{1,64}\.tmp$/;
const keyPattern = /^[0-9a-f]{64}$/;
/** A temporary file that is older was left by a process that died. */
const maxTemporaryMs = 10 * 60_000;
/** After so much of the bounds was written, what other processes wrote is looked at too. */
const sweepShare = 1 / 8;
const filesAtOnce = 64;
/** What stands where an answer should, and can be no answer: a link, a socket, a file that we may not read. */
const foreignCodes: ReadonlySet<string> = new Set(['ELOOP', 'ENXIO', 'EACCES']);

/** Answers that outlive the process. A disk that fails makes it forget, never fail: that is logged, once. */
export class DiskAnswerStore implements AnswerStore {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  readonly #world: DiskAnswerStoreWorld;
  /** Of all files, as far as is known; null before the first sweep. */
  #knownBytes: number | null = null;
  #bytesSinceSweep = 0;
  #sweeping: Promise<void> | null = null;
  #isToldOfTrouble = false;

  private constructor(settings: DiskAnswerStoreSettings, world: DiskAnswerStoreWorld) {
    this.#folder = settings.folder;
    this.#maxBytes = settings.maxBytes ?? 256 * 1024 * 1024;
    this.#maxAgeMs = settings.maxAgeMs ?? 24 * 3_600_000;
    this.#world = world;
  }

  /** Throws `ConfigError` for a folder that is another user's or that others can write to. */
  static async open(settings: DiskAnswerStoreSettings, world: DiskAnswerStoreWorld): Promise<DiskAnswerStore> {
    const store = new DiskAnswerStore(settings, world);
    await store.#prepare();
    return store;
  }

  async get(key: string): Promise<StoredAnswer | null> {
    const path = this.#pathOf(key);
    try {
      const found = await this.#read(key, path);
      if (found === 'unusable') await remove(path);
      return found === 'unusable' ? null : found;
    } catch (error) {
      this.#forgive(error);
      return null;
    }
  }

  async put(key: string, answer: StoredAnswer): Promise<void> {
    const bytes = encodeAnswer(key, answer);
    if (bytes.length > Math.min(maxAnswerFileBytes, this.#maxBytes)) return;
    try {
      await this.#write(key, bytes);
      this.#bytesSinceSweep += bytes.length;
      if (this.#knownBytes !== null) this.#knownBytes += bytes.length;
      if (this.#isSweepDue()) await (this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = null)));
    } catch (error) {
      this.#forgive(error);
    }
  }

  async #prepare(): Promise<void> {
    const path = this.#folder;
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') {
        this.#forgive(error);
        return;
      }
    }
    const facts = await lstat(path);
    if (facts.isDirectory() && isOwn(facts) && (!hasOwners() || (facts.mode & 0o022) === 0)) return;
    throw new ConfigError(`The folder ${path} for answers must be a folder of this user that nobody else can write to`);
  }

  async #read(key: string, path: string): Promise<StoredAnswer | 'unusable' | null> {
    const opened = await openToRead(path);
    if (opened.kind !== 'opened') return opened.kind === 'absent' ? null : 'unusable';
    await using handle = opened.handle;
    const facts = await handle.stat();
    const nowMs = this.#world.clock.nowMs();
    const isOurs = facts.isFile() && isOwn(facts) && facts.size <= maxAnswerFileBytes;
    if (!isOurs || !isFresh(facts.mtimeMs, { nowMs, maxAgeMs: this.#maxAgeMs })) return 'unusable';
    const answer = decodeAnswer(key, await handle.readFile());
    if (answer === null) return 'unusable';
    await handle.utimes(nowMs / 1000, facts.mtimeMs / 1000).catch((error: unknown) => {
      this.#forgive(error);
    });
    return answer;
  }

  async #write(key: string, bytes: Buffer): Promise<void> {
    const temporary = join(this.#folder, `${key}.${this.#world.createId()}.tmp`);
    try {
      await writeFresh(temporary, bytes, this.#world.clock.nowMs());
      await rename(temporary, this.#pathOf(key));
    } catch (error) {
      await remove(temporary).catch(() => undefined); // the first trouble is the one to tell
      throw error;
    }
  }

  #isSweepDue(): boolean {
    const known = this.#knownBytes;
    return known === null || known > this.#maxBytes || this.#bytesSinceSweep > this.#maxBytes * sweepShare;
  }

  async #sweep(): Promise<void> {
    this.#bytesSinceSweep = 0;
    const nowMs = this.#world.clock.nowMs();
    const files = await this.#list(nowMs);
    const bounds = { nowMs, maxAgeMs: this.#maxAgeMs, maxBytes: this.#maxBytes };
    const { drop, bytesLeft } = planAnswerSweep(files, bounds);
    await inBatches(drop, (name) => remove(join(this.#folder, name)));
    this.#knownBytes = bytesLeft + this.#bytesSinceSweep; // what was written meanwhile may be in both
  }

  /** The answers there are; removes temporary files that were left. Files of other names are not ours to touch. */
  async #list(nowMs: number): Promise<readonly AnswerFile[]> {
    const names = await readdir(this.#folder);
    const leftovers = await this.#look(names.filter((name) => temporaryName.test(name)));
    const dead = leftovers.filter(({ storedAtMs }) => !isFresh(storedAtMs, { nowMs, maxAgeMs: maxTemporaryMs }));
    await inBatches(dead, ({ name }) => remove(join(this.#folder, name)));
    return this.#look(names.filter((name) => answerName.test(name)));
  }

  async #look(names: readonly string[]): Promise<readonly AnswerFile[]> {
    const files: AnswerFile[] = [];
    await inBatches(names, async (name) => {
      const facts = await lstat(join(this.#folder, name)).catch(ignoreAbsent);
      if (facts === undefined) return;
      files.push({ name, bytes: facts.size, storedAtMs: facts.mtimeMs, usedAtMs: facts.atimeMs });
    });
    return files;
  }

  #pathOf(key: string): string {
    if (!keyPattern.test(key)) throw new Error('no key of an answer');
    return join(this.#folder, `${key}.answer`);
  }

  /** Says once that the disk does not do its part. Anything but a disk's trouble is a bug, and thrown. */
  #forgive(error: unknown): void {
    const code = errnoOf(error);
    if (code === null) throw error;
    if (this.#isToldOfTrouble) return;
    this.#isToldOfTrouble = true;
    this.#world.log.warn({ reason: code, err: error }, 'answers of the model cannot be kept or read');
  }
}

type Opened = { readonly kind: 'opened'; readonly handle: FileHandle } | { readonly kind: 'absent' | 'foreign' };

/** Follows no link and waits for no pipe. */
async function openToRead(path: string): Promise<Opened> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return { kind: 'opened', handle };
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (code === 'ENOENT') return { kind: 'absent' };
    if (foreignCodes.has(code)) return { kind: 'foreign' };
    throw error;
  }
}

/** Fails where there is a file of that name. */
async function writeFresh(path: string, bytes: Buffer, nowMs: number): Promise<void> {
  await using handle = await open(path, 'wx', 0o600);
  await handle.writeFile(bytes);
  await handle.utimes(nowMs / 1000, nowMs / 1000);
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch(ignoreAbsent);
}

function ignoreAbsent(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error;
}

async function inBatches<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += filesAtOnce) {
    await Promise.all(items.slice(at, at + filesAtOnce).map(work));
  }
}

/** Elsewhere than on POSIX files have no owner and no such modes. */
function hasOwners(): boolean {
  return process.getuid !== undefined;
}

function isOwn({ uid }: Stats): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error
    ? error.code
    : null;
}
