import type { LeasedTask, TaskQueue } from '@drydock/queue';
import type { PolicySource } from './policy-source.ts';
import { runningUnder } from './shares-of-policies.ts';

const leastDelayMs = 10_000;
const spreadMs = 10_000;

/**
 * Whether more tasks than a policy allows hold a lease, this one among them: then it goes back. Two that are leased at the
 * same moment may both go back, but never do more run than are allowed. A task that was taken over is in that number.
 */
export async function isOverLimit(
  { queue, policies }: { readonly queue: Pick<TaskQueue, 'projects'>; readonly policies?: PolicySource | undefined },
  { subject: { forge, projectId }, projectPath, adopted }: Pick<LeasedTask, 'subject' | 'projectPath' | 'adopted'>,
): Promise<boolean> {
  if (policies === undefined || adopted !== null) return false;
  // The path of the task is only what its sender said; what is decided by the policy is asked of the forge later.
  const answer = policies.policyFor({ forge, projectId, projectPath });
  if (answer.kind === 'held' || answer.policy.maxRunning === null || answer.policy.name === null) return false;
  return (await runningUnder(queue, policies, answer.policy.name)) > answer.policy.maxRunning;
}

/** How long a task rests that went back; spread, so that those of a policy do not come together again. */
export function limitDelayMs(random: () => number = Math.random): number {
  return leastDelayMs + Math.floor(random() * spreadMs);
}
