/**
 * Agents as child processes of the scheduler, for one machine without Kubernetes.
 *
 * This is no isolation: a process of the same user can read its neighbours. What holds all the same: the child gets an
 * emptied environment, a folder of its own, its run token in a file of mode 0400 as in a pod, and it ends when its
 * standard input closes, so that no agent outlives its scheduler.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TransientError, type Clock } from '@drydock/core';
import type { CompiledAgent } from './compile-agent.ts';
import type { AgentExit, AgentLaunch, Launcher } from './launcher.ts';

/** What the local launcher needs to know. */
export interface LocalLauncherSettings {
  /** The program and its arguments; nothing secret may stand in them. */
  readonly command: readonly [string, ...string[]];
  readonly gatewayUrl: string;
  /** Each run gets a new folder in here, which is deleted after it. */
  readonly workRoot: string;
  /** Where the agent finds git. */
  readonly path: string;
  /** Milliseconds between asking an agent to end and killing it. */
  readonly graceMs: number;
  /** Default: every agent compiles its program anew. */
  readonly compiled?: Pick<CompiledAgent, 'dir'>;
}

const lastWordsBytes = 4096;

/** Starts agents on this machine. */
export class LocalLauncher implements Launcher {
  readonly #settings: LocalLauncherSettings;
  readonly #clock: Clock;

  constructor(settings: LocalLauncherSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  async run(launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    if (signal.aborted) return { kind: 'aborted' };
    const folder = await this.#makeFolder(launch);
    try {
      return await this.#runIn(folder, launch, signal);
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  async #makeFolder({ runId, token }: AgentLaunch): Promise<string> {
    await mkdir(this.#settings.workRoot, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(this.#settings.workRoot, `${runId}-`));
    await chmod(folder, 0o700);
    await mkdir(join(folder, 'work'), { mode: 0o700 });
    await writeFile(join(folder, 'run-token'), token.reveal(), { mode: 0o400 });
    return folder;
  }

  async #runIn(folder: string, launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    const [program, ...args] = this.#settings.command;
    const compiledDir = this.#settings.compiled?.dir ?? null;
    const child = spawn(program, args, {
      cwd: join(folder, 'work'),
      env: {
        PATH: this.#settings.path,
        HOME: folder,
        DRYDOCK_GATEWAY_URL: this.#settings.gatewayUrl,
        DRYDOCK_RUN_TOKEN_FILE: join(folder, 'run-token'),
        DRYDOCK_WORK_DIR: join(folder, 'work'),
        ...(compiledDir === null ? {} : { NODE_COMPILE_CACHE: compiledDir }),
      },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true, // a process group of its own, so that its children end with it
    });
    child.stdin.on('error', () => undefined); // the agent may be gone already: its exit tells
    const lastWords = keepLastWords(child);
    const ended = endOf(child);
    const timers = new AbortController();
    const stopped = this.#stopReason(launch.deadlineSeconds * 1000, signal, timers.signal);
    try {
      const first = await Promise.race([ended, stopped]);
      if (first.kind === 'exited') return { ...first, lastWords: lastWords() };
      child.stdin.end();
      signalGroup(child, 'SIGTERM');
      await Promise.race([ended, this.#clock.sleep(this.#settings.graceMs, timers.signal)]);
      signalGroup(child, 'SIGKILL');
      await ended;
      return first;
    } finally {
      timers.abort();
      signalGroup(child, 'SIGKILL');
    }
  }

  async #stopReason(
    deadlineMs: number,
    signal: AbortSignal,
    over: AbortSignal,
  ): Promise<{ kind: 'timed-out' } | { kind: 'aborted' }> {
    await this.#clock.sleep(deadlineMs, AbortSignal.any([signal, over]));
    return signal.aborted ? { kind: 'aborted' } : { kind: 'timed-out' };
  }
}

function endOf(child: ChildProcess): Promise<{ kind: 'exited'; code: number | null; signal: string | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new TransientError('run.crashed', 'the agent could not be started', { cause }));
    });
    child.once('exit', (code, signal) => {
      resolve({ kind: 'exited', code, signal });
    });
  });
}

function keepLastWords(child: ChildProcess): () => string {
  let tail = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-lastWordsBytes);
  });
  return () => tail.toString('utf8');
}

/** The negative id names the whole group. A group that is gone is what we want. */
function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
