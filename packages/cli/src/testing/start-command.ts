import { PassThrough } from 'node:stream';
import { runProgram } from '../run-program.ts';
import { captureOutput } from './captured-output.ts';
import { searchPath, type RunningCommand } from './start-process.ts';

/** Where a command runs. */
export interface CommandPlace {
  readonly cwd?: string;
  readonly stdin?: string;
  /** Empty but for these and PATH. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts the command within this process, where it takes no second to begin. */
export function startCommand(args: readonly string[], place: CommandPlace = {}): RunningCommand {
  const stop = new AbortController();
  const stdout = captureOutput();
  const stderr = captureOutput();
  const stdin = new PassThrough().end(place.stdin ?? '') as unknown as NodeJS.ReadStream;
  const ended = runProgram(args, {
    version: '1.2.3',
    cwd: place.cwd ?? '/',
    environment: { PATH: searchPath, ...place.environment },
    stdin: () => stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: stop.signal,
  }).then((code) => ({ code, stdout: stdout.text(), stderr: stderr.text() }));
  return { stdout: stdout.text, stderr: stderr.text, ended, stop: () => stop.abort() };
}
