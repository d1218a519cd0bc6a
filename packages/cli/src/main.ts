import { readFile } from 'node:fs/promises';
import { exitCodes } from './exit-codes.ts';
import { runProgram } from './run-program.ts';

/** What a shell reports of a command that a signal ended: 128 and the signal's number. */
const endedBy = { SIGINT: 130, SIGTERM: 143, SIGPIPE: 141 } as const;

async function main(): Promise<void> {
  const manifest: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
  const stop = new AbortController();
  let interrupted: number = exitCodes.interrupted;
  const end = (by: keyof typeof endedBy) => {
    if (!stop.signal.aborted) interrupted = endedBy[by];
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
  const code = await runProgram(process.argv.slice(2), {
    version,
    cwd: process.cwd(),
    environment: process.env,
    stdin: () => process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: stop.signal,
  });
  process.exitCode = code === exitCodes.interrupted ? interrupted : code;
}

await main();
