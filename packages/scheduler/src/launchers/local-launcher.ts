/**
 * Agents as child processes of the scheduler, for one machine without Kubernetes.
 *
 * This is no isolation: a process of the same user can read its neighbours. What holds all the same: the child gets an
 * emptied environment, a folder of its own, its run token in a file of mode 0400 as in a pod, and no agent outlives its
 * scheduler, however that ends: its standard input closes, and a reaper beside it kills what does not listen.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { TransientError, silentLog, type Clock, type Log, type ReachPoint } from '@drydock/core';
import type { CompiledAgent } from './compile-agent.ts';
import type { AgentExit, AgentLaunch, Launcher } from './launcher.ts';
import { startReaper } from './start-reaper.ts';

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

type Agent = ChildProcessByStdio<Writable, null, Readable>;
type Exited = Omit<Extract<AgentExit, { kind: 'exited' }>, 'lastWords'>;
type Stopped = Extract<AgentExit, { kind: 'timed-out' | 'aborted' }>;

const lastWordsBytes = 4096;
const letGoMs = 2000;

/** Starts agents on this machine. */
export class LocalLauncher implements Launcher {
  readonly credential = 'grant';
  readonly outlivesUs = false;
  readonly #settings: LocalLauncherSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #reach: ReachPoint | undefined;

  constructor(settings: LocalLauncherSettings, clock: Clock, log: Log = silentLog, reach?: ReachPoint) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#reach = reach;
  }

  async run(launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    if (signal.aborted) return { kind: 'aborted' };
    const folder = await this.#makeFolder(launch);
    try {
      return await this.#runIn(folder, launch, signal);
    } finally {
      await this.#removeFolder(folder, launch);
    }
  }

  /** What an earlier scheduler started ended with it. */
  async adopt(): Promise<null> {
    return null;
  }

  /** Of an earlier scheduler. */
  isAtWork(): boolean {
    return false;
  }

  /** `run` leaves nothing. */
  async forget(): Promise<void> {
    return;
  }

  async #makeFolder({ runId, token }: AgentLaunch): Promise<string> {
    if (token === null) throw new TransientError('run.crashed', 'an agent of this machine needs a token');
    try {
      await mkdir(this.#settings.workRoot, { recursive: true, mode: 0o700 });
      const folder = await mkdtemp(join(this.#settings.workRoot, `${runId}-`));
      await chmod(folder, 0o700);
      await mkdir(join(folder, 'work'), { mode: 0o700 });
      await writeFile(join(folder, 'run-token'), token.reveal(), { mode: 0o400 });
      return folder;
    } catch (cause) {
      throw new TransientError('run.crashed', 'the agent could not be given a folder', { cause });
    }
  }

  /** An agent may have left what its own user cannot delete; that must not hide how it ended. */
  async #removeFolder(folder: string, { runId }: AgentLaunch): Promise<void> {
    try {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    } catch (err) {
      this.#log.error({ runId, place: folder, err }, 'folder of a run not deleted');
    }
  }

  async #runIn(folder: string, launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    const { agent, pid } = await this.#start(folder);
    using _reaper = startReaper(pid, folder);
    this.#reach?.('launch.started');
    launch.onBegun?.();
    const lastWords = keepLastWords(agent, launch);
    const exited = exitOf(agent);
    const closed = once(agent, 'close');
    const over = new AbortController();
    let how: Exited | Stopped;
    try {
      const stopped = this.#stopReason(launch.deadlineSeconds * 1000, signal, over.signal);
      how = await Promise.race([exited, stopped]);
      if (how.kind !== 'exited') {
        agent.stdin.end();
        signalGroup(pid, 'SIGTERM');
        await Promise.race([exited, this.#clock.sleep(this.#settings.graceMs, over.signal)]);
      }
    } finally {
      over.abort();
      signalGroup(pid, 'SIGKILL'); // also what an agent left behind that ended by itself
      await this.#letGo(agent, closed);
    }
    return how.kind === 'exited' ? { ...how, lastWords: lastWords() } : how;
  }

  /** Its standard error closes when the last of its group is gone; who left the group must not hold us up. */
  async #letGo(agent: Agent, closed: Promise<unknown>): Promise<void> {
    const patience = new AbortController();
    await Promise.race([closed, this.#clock.sleep(letGoMs, patience.signal)]);
    patience.abort();
    agent.stdin.destroy();
    agent.stderr.destroy();
  }

  async #start(folder: string): Promise<{ readonly agent: Agent; readonly pid: number }> {
    const [program, ...args] = this.#settings.command;
    const compiledDir = this.#settings.compiled?.dir ?? null;
    const agent = spawn(program, args, {
      cwd: join(folder, 'work'),
      env: {
        PATH: this.#settings.path,
        HOME: folder,
        DRYDOCK_GATEWAY_URL: this.#settings.gatewayUrl,
        DRYDOCK_RUN_TOKEN_FILE: join(folder, 'run-token'),
        DRYDOCK_WORK_DIR: join(folder, 'work'),
        DRYDOCK_END_WITH_STDIN: 'true', // which we hold open for as long as we live
        ...(compiledDir === null ? {} : { NODE_COMPILE_CACHE: compiledDir }),
      },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true, // a process group of its own, so that its children end with it
    });
    try {
      await once(agent, 'spawn');
    } catch (cause) {
      throw new TransientError('run.crashed', 'the agent could not be started', { cause });
    }
    const { pid } = agent;
    if (pid === undefined) throw new TransientError('run.crashed', 'the agent could not be started');
    agent.on('error', () => undefined); // of a signal that found nobody: its exit tells
    agent.stdin.on('error', () => undefined); // the agent may be gone already: its exit tells
    return { agent, pid };
  }

  async #stopReason(deadlineMs: number, signal: AbortSignal, over: AbortSignal): Promise<Stopped> {
    await this.#clock.sleep(deadlineMs, AbortSignal.any([signal, over]));
    return signal.aborted ? { kind: 'aborted' } : { kind: 'timed-out' };
  }
}

function exitOf(agent: Agent): Promise<Exited> {
  return new Promise((resolve) => {
    agent.once('exit', (code, signal) => {
      resolve({ kind: 'exited', code, signal });
    });
  });
}

/** The end of what it writes to its standard error, without the one secret that it was given. */
function keepLastWords(agent: Agent, { token }: AgentLaunch): () => string {
  let tail = Buffer.alloc(0);
  agent.stderr.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-lastWordsBytes);
  });
  return () => {
    const text = tail.toString('utf8');
    return token === null ? text : text.replaceAll(token.reveal(), String(token));
  };
}

/** The negative id names the whole group. A group that is gone is what we want. */
function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
