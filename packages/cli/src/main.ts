import { readFile } from 'node:fs/promises';
import { CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';

/** What a shell reports of a command that a signal ended: 128 and the signal's number. */
const endedBy = { SIGINT: 130, SIGTERM: 143, SIGPIPE: 141 } as const;
type Ending = keyof typeof endedBy;

async function main(): Promise<void> {
  const manifest: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
  const stop = new AbortController();
  let ending: Ending | null = null;
  const endedByWhat = (): Ending | null => ending;
  const end = (by: Ending) => {
    ending ??= by;
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(endedBy[signal]); // asked twice: do not wait for a tidy end
      end(signal);
    });
  }
  // Nobody reads on, as after `| head`: a reason to end, not a fault.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: Error & { code?: string }) => {
      if (error.code !== 'EPIPE') throw error;
      end('SIGPIPE');
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
    if (process.exitCode === exitCodes.interrupted) process.exitCode = endedBy[endedByWhat() ?? 'SIGINT'];
  } catch (error) {
    process.exitCode = await report(error, ending);
  }
}

/** Says what went wrong in words for people; a bug keeps its stack trace. Returns the exit code. */
async function report(error: unknown, ending: Ending | null): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (ending !== null) return endedBy[ending];
  const { DrydockError } = await import('@drydock/core'); // with its schemas it is half of what --version would take
  if (!(error instanceof DrydockError)) throw error;
  process.stderr.write(`${error.message}\n`);
  return error.kind === 'config' ? exitCodes.config : exitCodes.failed;
}

await main();
