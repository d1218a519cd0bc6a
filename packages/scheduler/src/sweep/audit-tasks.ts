import { DrydockError } from '@drydock/core';
import type { SweepPorts } from './sweep-ports.ts';

/** One round looks at some ten thousand tasks at most; the next one goes on there. */
const mostSlices = 100;

/** Where a round left off in which epoch of the queue. */
export interface AuditProgress {
  readonly epoch: number;
  readonly cursor: string | null;
}

/**
 * Lets the queue look at a part of its tasks, and put right what somebody else's keys have made homeless. Answers where the
 * next round goes on; a new epoch begins anew. What the queue refuses stops nothing else of the sweep.
 */
export async function auditTasks(
  { queue, log, metrics }: Pick<SweepPorts, 'queue' | 'log' | 'metrics'>,
  progress: AuditProgress,
): Promise<AuditProgress> {
  let { cursor } = progress;
  try {
    for (let slice = 0; slice < mostSlices; slice += 1) {
      const done = await queue.audit(cursor);
      metrics.audited(done);
      ({ cursor } = done);
      if (cursor === null) break;
    }
    return { ...progress, cursor };
  } catch (err) {
    if (!(err instanceof DrydockError)) throw err;
    log.error({ code: err.code, err }, 'tasks in the queue could not be looked at');
    return { ...progress, cursor: null };
  }
}
