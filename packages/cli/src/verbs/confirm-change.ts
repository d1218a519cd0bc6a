import { askYesNo, canAsk } from '../ask-yes-no.ts';
import type { CliPorts } from '../cli-ports.ts';
import { UsageError } from '../client/usage-error.ts';

/**
 * Whether a change of many things is wanted: said with `--yes`, or asked. Where nobody can be asked, `UsageError` says
 * that `--yes` must be given.
 */
export async function confirmChange(question: string, ports: CliPorts, isSaid: boolean): Promise<boolean> {
  if (isSaid) return true;
  if (!canAsk(ports))
    throw new UsageError(`nobody is at the terminal to be asked "${question}": --yes says yes, --dry-run only tells`);
  return askYesNo(question, ports);
}
