import { DrydockError, type Sha, TerminalError, TransientError } from '@drydock/core';
import { ByteQueue } from './byte-queue.ts';
import type { GitRepository } from './git-environment.ts';
import { checkRevision } from './revision.ts';
import { type GitProcess, startGit } from './run-git.ts';

/** What to read: an object by its id, or what a commit has at a path. */
export type ObjectName = Sha | { readonly revision: string; readonly path: string };

/** An object without its content. */
export interface ObjectFacts {
  readonly oid: string;
  readonly type: 'blob' | 'tree' | 'commit' | 'tag';
  readonly bytes: number;
}

/** What became of reading an object. */
export type ReadObject =
  | (ObjectFacts & { readonly kind: 'found'; readonly content: Buffer })
  | (ObjectFacts & { readonly kind: 'too-large' })
  /** Not in this repository; a submodule's commit and a blob that was never fetched look the same. */
  | { readonly kind: 'missing' };

/** How to read one object. */
export interface ReadOptions {
  /** A larger object is answered without its content, which git then never sends. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

const found = /^([0-9a-f]{40}|[0-9a-f]{64}) (blob|tree|commit|tag) (\d+)$/;
const maxHeaderBytes = 20_000;
const maxPathCharacters = 4096;

/**
 * Reads objects from one long-lived `git cat-file`, one after another. Nothing is fetched: what is missing is missing.
 * A process that died, as it does on a broken object, is replaced at the next read.
 */
export class ObjectReader implements AsyncDisposable {
  readonly #repo: GitRepository;
  readonly #timeoutMs: number;
  #running: { readonly git: GitProcess; readonly output: ByteQueue } | null = null;
  #last: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor({ repo, timeoutMs = 60_000 }: { readonly repo: GitRepository; readonly timeoutMs?: number }) {
    this.#repo = repo;
    this.#timeoutMs = timeoutMs;
  }

  /** Throws `git.failed` on a broken object, `git.timeout`, `aborted`, and `request.malformed` for a bad name. */
  read(name: ObjectName, options: ReadOptions): Promise<ReadObject> {
    return this.#inTurn(options.signal, async () => {
      const facts = await this.#ask('info', name);
      if (facts === null) return { kind: 'missing' };
      if (facts.bytes > options.maxBytes) return { kind: 'too-large', ...facts };
      const answered = await this.#ask('contents', facts.oid);
      if (answered === null) return { kind: 'missing' };
      const content = await this.#output().readExactly(answered.bytes);
      await this.#output().readExactly(1); // The line feed after it.
      return { kind: 'found', ...answered, content };
    });
  }

  /** What an object is, without its content; null: missing. */
  describe(name: ObjectName, signal: AbortSignal): Promise<ObjectFacts | null> {
    return this.#inTurn(signal, () => this.#ask('info', name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#last.catch(() => undefined);
    await this.#stop();
  }

  /** One request at a time. One that is given up leaves the process amid an answer, so that ends with it. */
  #inTurn<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const turn = async (): Promise<Result> => {
      const timeout = AbortSignal.timeout(this.#timeoutMs);
      const giveUp = AbortSignal.any([signal, timeout, this.#closing.signal]);
      const onGiveUp = () => void this.#running?.git[Symbol.asyncDispose]();
      giveUp.addEventListener('abort', onGiveUp, { once: true });
      try {
        if (giveUp.aborted) throw new TransientError('aborted', 'reading an object was given up');
        return await work();
      } catch (error) {
        const git = this.#running?.git;
        await this.#stop();
        if (!giveUp.aborted) {
          if (!(error instanceof DrydockError)) await git?.ended;
          throw error;
        }
        throw timeout.aborted
          ? new TransientError('git.timeout', `an object was not read in ${this.#timeoutMs} ms`, { cause: error })
          : new TransientError('aborted', 'reading an object was given up', { cause: error });
      } finally {
        giveUp.removeEventListener('abort', onGiveUp);
      }
    };
    const result = this.#last.then(turn, turn);
    this.#last = result;
    return result;
  }

  async #ask(command: 'info' | 'contents', name: ObjectName): Promise<ObjectFacts | null> {
    const text = toObjectName(name);
    if (text === null) return null;
    const { git, output } = (this.#running ??= this.#start());
    git.stdin.write(`${command} ${text}\0`);
    const header = await output.readLine(maxHeaderBytes, answerOfMissing(text)).catch(() => this.#diedOf(git));
    if (header === null) return null;
    const [, oid, type, bytes] = found.exec(header) ?? [];
    if (oid === undefined || !isObjectType(type)) return null;
    return { oid, type, bytes: Number(bytes) };
  }

  /** A promised object that is not here ends older versions of git. */
  async #diedOf(git: GitProcess): Promise<null> {
    await this.#stop();
    await git.ended.catch((error: unknown) => {
      if (!(error instanceof TerminalError) || error.code !== 'git.object_missing') throw error;
    });
    return null;
  }

  #start(): { readonly git: GitProcess; readonly output: ByteQueue } {
    const git = startGit({
      repo: this.#repo,
      args: ['cat-file', '--batch-command', '-z'],
      signal: this.#closing.signal,
      timeoutMs: null,
    });
    return { git, output: new ByteQueue(git.stdout) };
  }

  #output(): ByteQueue {
    if (this.#running === null) throw new TerminalError('git.failed', 'git cat-file ended amid an answer');
    return this.#running.output;
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await running?.git[Symbol.asyncDispose]();
  }
}

/** Null: git would look for no such object, or take the text for something else. */
function toObjectName(name: ObjectName): string | null {
  if (typeof name === 'string') return checkRevision(name);
  const { path } = name;
  // Relative to a folder that is not there; an empty path is the whole tree.
  if (/^\.{1,2}(\/|$)/.test(path) || path.includes('\0') || !path.isWellFormed()) return null;
  if (path.length > maxPathCharacters) return null;
  return `${checkRevision(name.revision)}:${path}`;
}

/** Git repeats the name it did not find, line feeds included. */
function answerOfMissing(name: string): Buffer {
  return Buffer.from(`${name} missing\n`);
}

function isObjectType(type: string | undefined): type is ObjectFacts['type'] {
  return type === 'blob' || type === 'tree' || type === 'commit' || type === 'tag';
}
