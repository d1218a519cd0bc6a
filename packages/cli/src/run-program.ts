import { CommanderError } from 'commander';
import type { CliPorts } from './cli-ports.ts';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command line, without the names of node and script, and returns its exit code. What went wrong is said in
 * words for people; a bug is thrown. `exitCodes.interrupted`: `signal` ended it.
 */
export async function runProgram(args: readonly string[], ports: Omit<CliPorts, 'setExitCode'>): Promise<number> {
  let code: number = exitCodes.ok;
  const program = createProgram({ ...ports, setExitCode: (set) => (code = set) });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (ports.signal.aborted) return exitCodes.interrupted;
    const { DrydockError } = await import('@drydock/core'); // with its schemas it is half of what --version would take
    if (!(error instanceof DrydockError)) throw error;
    ports.stderr.write(`${error.message}\n`);
    return error.kind === 'config' ? exitCodes.config : exitCodes.failed;
  }
}
