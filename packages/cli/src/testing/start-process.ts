import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/drydock.js', import.meta.url));
/** Beside what jest keeps: else each command compiles all of itself again. */
const compiled = fileURLToPath(new URL('../../../../.cache/compiled', import.meta.url));

/** Where commands of a test find git. */
export const searchPath = '/usr/local/bin:/usr/bin:/bin';

/** A command at work. */
export interface RunningCommand {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  /** As Ctrl-C does. */
  stop(): void;
}

/** Starts the command as a user would, in a process of its own; the environment is empty but for PATH and what is given. */
export function startProcess(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): RunningCommand {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { PATH: searchPath, NODE_COMPILE_CACHE: compiled, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { stdout: () => stdout, stderr: () => stderr, ended, stop: () => void child.kill('SIGINT') };
}
