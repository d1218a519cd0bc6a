import { readFile } from 'node:fs/promises';
import { DrydockError } from '@drydock/core';
import { CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';

/** The word that an exit status for signals adds to: 128 + 2 for Ctrl-C. */
const interrupted = 130;

async function main(): Promise<void> {
  const manifest: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(interrupted); // asked twice: do not wait for a tidy end
      stop.abort();
    });
  }
  const program = createProgram({
    version,
    environment: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: stop.signal,
    setExitCode: (code) => {
      process.exitCode = code;
    },
  });
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error, stop.signal.aborted);
  }
}

/** Says what went wrong in words for people; a bug keeps its stack trace. Returns the exit code. */
function report(error: unknown, wasInterrupted: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (wasInterrupted) return interrupted;
  if (!(error instanceof DrydockError)) throw error;
  process.stderr.write(`${error.message}\n`);
  return error.kind === 'config' ? exitCodes.config : exitCodes.failed;
}

await main();
