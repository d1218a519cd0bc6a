import { createInterface } from 'node:readline/promises';
import { TransientError } from '@drydock/core';
import type { CliPorts } from './cli-ports.ts';

type Terminal = Pick<CliPorts, 'stdin' | 'stderr' | 'signal'>;

/** Whether somebody sits at the terminal who can be asked. */
export function canAsk({ stdin, stderr }: Terminal): boolean {
  return stderr.isTTY && stdin().isTTY;
}

/** Asks the person at the terminal. Anything but a yes is a no; throws `aborted` when the command is to end. */
export async function askYesNo(question: string, { stdin, stderr, signal }: Terminal): Promise<boolean> {
  const asking = createInterface({ input: stdin(), output: stderr });
  // To readline Ctrl-C is a key; it is to end the command as anywhere else.
  asking.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return /^y(?:es)?$/i.test((await asking.question(`${question} [y/N] `, { signal })).trim());
  } catch (error) {
    if (signal.aborted) throw new TransientError('aborted', 'the user asked to stop', { cause: error });
    if (error instanceof Error && error.name === 'AbortError') return false; // the end of input is no yes
    throw error;
  } finally {
    asking.close();
  }
}
