import type { CliPorts } from '../cli-ports.ts';
import { parseSelector } from '../client/selector.ts';
import { changeTasks, readTargets, type ChangeFlags, type TaskChange } from './change-tasks.ts';
import { runOnServer } from './server-verb.ts';

const cancelling: TaskChange = {
  verb: 'Cancel',
  participle: 'cancelled',
  noun: 'task',
  states: ['waiting', 'leased', 'running', 'publishing'],
  async apply(client, taskId) {
    const answer = await client.cancel(taskId);
    switch (answer?.kind) {
      case 'cancelled':
        return 'cancelled';
      case 'cancelling':
        return 'is being cancelled: it runs, and was told to stop';
      case 'ended':
        return 'had ended before';
      case undefined:
        return null;
    }
  },
};

/** `drydock cancel`. */
export async function cancel(texts: readonly string[], flags: ChangeFlags, ports: CliPorts): Promise<void> {
  await runOnServer(
    'cancel',
    () => {
      const selector = parseSelector(flags.selector ?? '');
      const targets = { ...readTargets(texts, selector, flags), selector };
      return (client) => changeTasks(cancelling, targets, flags, { client, ports });
    },
    flags,
    ports,
  );
}
