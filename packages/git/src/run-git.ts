import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { ConfigError, TerminalError, TransientError } from '@drydock/core';
import { toGitError } from './git-error.ts';
import { gitEnvironment, type GitNetwork, type GitRepository, type GitSetting } from './git-environment.ts';

/** One call of git. */
export interface GitCall {
  /** Null for the few commands that need none; the search path is then told apart. */
  readonly repo: GitRepository | { readonly gitDir: null; readonly searchPath: string };
  /** The command and its arguments; never a credential. */
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** Null: for as long as it is used, ended by its signal or by disposing of it. */
  readonly timeoutMs: number | null;
  /** Default: none, and no protocol is allowed. */
  readonly network?: GitNetwork;
  /** Settings for this call beside the fixed ones. */
  readonly settings?: readonly GitSetting[];
  /** What a client sent as `Git-Protocol`, when serving it. */
  readonly protocol?: string;
  /** Exit codes that are answers; default only 0. */
  readonly exitCodes?: readonly number[];
}

/** A running git. Dispose of it: what then still runs is ended. */
export interface GitProcess extends AsyncDisposable {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /**
   * The exit code, one of `exitCodes`. Rejects with `git.failed`, `git.timeout`, `git.unreachable`,
   * `git.unauthorized`, `git.want_refused`, `git.object_missing`, `aborted`, or `config.invalid` without a git binary.
   */
  readonly ended: Promise<number>;
}

const maxStderrBytes = 16_384;
const killGraceMs = 1_000;

/** Starts git for streaming. Its group of processes ends with the signal, the time or the disposal. */
export function startGit(call: GitCall): GitProcess {
  const { repo, args, signal, timeoutMs, network = null, settings = [], protocol = null, exitCodes = [0] } = call;
  const repository = repo.gitDir === null ? null : repo;
  const env = gitEnvironment({ searchPath: repo.searchPath, repo: repository, network, settings, protocol });
  return launchGit({ args, signal, timeoutMs, env, searchPath: repo.searchPath, cwd: repo.gitDir ?? '/', exitCodes });
}

/** A git process down to its environment. */
interface GitLaunch {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly searchPath: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number | null;
  /** Exit codes that are answers; null: all. */
  readonly exitCodes: readonly number[] | null;
}

/** A process of git, and what it said beside its output. */
export interface LaunchedGit extends GitProcess {
  readonly said: Promise<string>;
}

/** Starts git as it is told, for callers within this package: they answer for the environment. */
export function launchGit({ args, cwd, env, searchPath, signal, timeoutMs, exitCodes }: GitLaunch): LaunchedGit {
  if (signal.aborted) throw new TransientError('aborted', `git ${args[0] ?? ''} was given up before it began`);
  const child = spawn('git', ['--no-pager', ...args], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const timeout = timeoutMs === null ? null : AbortSignal.timeout(timeoutMs);
  const closed = watch(child);
  const stop = stopWith(child, closed, timeout === null ? signal : AbortSignal.any([signal, timeout]));
  const ended = closed.then(({ exitCode, endSignal, stderr, spawnError }) => {
    const command = args[0] ?? '';
    if (spawnError !== null) throw spawnFailed(spawnError, searchPath, cwd);
    if (exitCode !== null && (exitCodes === null || exitCodes.includes(exitCode))) return exitCode;
    if (signal.aborted) throw new TransientError('aborted', `git ${command} was given up`);
    if (timeout?.aborted === true) {
      throw new TransientError('git.timeout', `git ${command} took longer than ${String(timeoutMs)} ms`);
    }
    throw toGitError({ command, exitCode, signal: endSignal, stderr });
  });
  ended.catch(() => undefined); // Whoever streams may never ask.
  child.stdin.on('error', () => undefined); // Git may end before it has read all; its exit code tells.
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    ended,
    said: closed.then(({ stderr }) => stderr),
    [Symbol.asyncDispose]: async () => {
      child.stdin.destroy();
      child.stdout.destroy();
      stop();
      await closed;
    },
  };
}

/** What a call answered. */
export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: Buffer;
}

/** Runs git to its end. More than `maxOutputBytes` of output ends it with `git.output_too_large`. */
export async function runGit(
  call: GitCall & { readonly maxOutputBytes: number; readonly input?: Buffer | string },
): Promise<GitAnswer> {
  await using git = startGit(call);
  git.stdin.end(call.input ?? '');
  const stdout = await collectOutput(git, call.args[0] ?? '', call.maxOutputBytes);
  return { exitCode: await git.ended, stdout };
}

/** All that a process of git prints. Throws `git.output_too_large`. */
export async function collectOutput(git: GitProcess, command: string, maxOutputBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const output: AsyncIterable<Buffer> = git.stdout;
  for await (const chunk of output) {
    bytes += chunk.length;
    if (bytes > maxOutputBytes) {
      const limit = `more than ${String(maxOutputBytes)} bytes`;
      throw new TerminalError('git.output_too_large', `git ${command} answered ${limit}`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface Closed {
  readonly exitCode: number | null;
  readonly endSignal: string | null;
  readonly stderr: string;
  readonly spawnError: Error | null;
}

function watch(child: ChildProcess): Promise<Closed> {
  const stderr: Buffer[] = [];
  let stderrBytes = 0;
  child.stderr?.on('data', (chunk: Buffer) => {
    // The last words tell the cause; before them comes whatever a server likes to say.
    stderr.push(chunk);
    stderrBytes += chunk.length;
    while (stderrBytes - (stderr[0]?.length ?? 0) > maxStderrBytes) stderrBytes -= stderr.shift()?.length ?? 0;
  });
  return new Promise((resolve) => {
    const finish = (end: Omit<Closed, 'stderr'>) => resolve({ ...end, stderr: Buffer.concat(stderr).toString('utf8') });
    child.on('error', (spawnError) => {
      if (child.pid === undefined) finish({ exitCode: null, endSignal: null, spawnError });
    });
    child.on('close', (exitCode, endSignal) => finish({ exitCode, endSignal, spawnError: null }));
  });
}

/**
 * Ends the group of processes with the signal, or when the returned function is called. Git removes its lock and
 * temporary files when it is asked to end; what does not listen is killed.
 */
function stopWith(child: ChildProcess, closed: Promise<unknown>, signal: AbortSignal): () => void {
  const { pid } = child;
  if (pid === undefined) return () => undefined;
  let killTimer: NodeJS.Timeout | null = null;
  let isClosed = false;
  const stop = () => {
    if (isClosed || killTimer !== null) return;
    signalGroup(pid, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(pid, 'SIGKILL'), killGraceMs);
  };
  void closed.then(() => {
    isClosed = true;
    signal.removeEventListener('abort', stop);
    if (killTimer !== null) clearTimeout(killTimer);
  });
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  return stop;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

function spawnFailed(error: Error, searchPath: string, cwd: string): Error {
  const isMissing = 'code' in error && error.code === 'ENOENT';
  if (!isMissing) return new TransientError('git.failed', 'git could not be started', { cause: error });
  const places = `no git in ${searchPath}, or no folder ${cwd}`;
  return new ConfigError(`git could not be started: ${places}; install git 2.38 or newer`, { cause: error });
}
