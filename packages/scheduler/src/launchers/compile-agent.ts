/**
 * The agent's program compiled ahead, so that no agent has to: stripping types and compiling would be a quarter of what
 * a short review takes outside the model. It is Node's own compile cache.
 *
 * Whoever can write to it runs code in every later agent. So it is a new folder at each start, filled by a process that
 * has seen no merge request, and nobody may write to it from then on. As all else between processes of one user, that
 * is a fence and no wall: an agent broken into could lift it, as it could change the program itself.
 *
 * @see https://nodejs.org/api/module.html#module-compile-cache
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '@drydock/core';

/** What is compiled, and where to. */
export interface CompileSettings {
  /** The command of the launcher: with `--compile` behind it, the program loads all of itself and ends. */
  readonly command: readonly [string, ...string[]];
  /** The compiled code is in a new folder in here. */
  readonly parentDir: string;
}

/** The agent's program compiled. Dispose of it: what still runs is ended, and the folder goes. */
export interface CompiledAgent extends AsyncDisposable {
  /** Where it is; null: not yet, or never. Agents run without it, too. */
  readonly dir: string | null;
  /** Settles when it is there, or will not be; never rejects. */
  readonly ended: Promise<void>;
}

const compileTimeoutMs = 60_000;
const run = promisify(execFile);

/** Compiles in the background. */
export function compileAgent(settings: CompileSettings, log: Log): CompiledAgent {
  const stop = new AbortController();
  let dir: string | null = null;
  const ended = compile(settings, stop.signal).then(
    (made) => {
      dir = made;
    },
    (err: unknown) => {
      if (!stop.signal.aborted) log.warn({ err }, 'agent not compiled, agents start slower');
    },
  );
  return {
    get dir() {
      return dir;
    },
    ended,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
      if (dir !== null) await remove(dir);
    },
  };
}

async function compile({ command, parentDir }: CompileSettings, signal: AbortSignal): Promise<string> {
  const [program, ...args] = command;
  await mkdir(parentDir, { recursive: true, mode: 0o700 });
  const dir = await mkdtemp(join(parentDir, 'compiled-'));
  try {
    await run(program, [...args, '--compile'], {
      cwd: dir,
      env: { NODE_COMPILE_CACHE: dir },
      timeout: compileTimeoutMs,
      killSignal: 'SIGKILL',
      signal,
    });
    await setModes(dir, { folder: 0o500, file: 0o400 });
    return dir;
  } catch (error) {
    await remove(dir);
    throw error;
  }
}

async function remove(dir: string): Promise<void> {
  await setModes(dir, { folder: 0o700, file: 0o600 });
  await rm(dir, { recursive: true, force: true, maxRetries: 3 });
}

async function setModes(dir: string, modes: { readonly folder: number; readonly file: number }): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await setModes(path, modes);
    else await chmod(path, modes.file);
  }
  await chmod(dir, modes.folder);
}
