import { createInterface } from 'node:readline/promises';
import { TransientError } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import { UsageError } from '../client/usage-error.ts';

/**
 * Whether a change of many things is wanted. A person at the terminal is asked, and anything but a yes is a no; where
 * nobody can be asked, `UsageError` says that `--yes` must be given.
 */
export async function confirmChange(
  question: string,
  { stderr, signal }: Pick<CliPorts, 'stderr' | 'signal'>,
  isSaid: boolean,
): Promise<boolean> {
  if (isSaid) return true;
  if (!process.stdin.isTTY || !stderr.isTTY)
    throw new UsageError(`nobody is at the terminal to be asked "${question}": --yes says yes, --dry-run only tells`);
  const asking = createInterface({ input: process.stdin, output: stderr });
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
