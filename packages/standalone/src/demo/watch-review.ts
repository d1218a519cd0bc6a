import { TransientError, runIdOf, type Clock, type FailedResult, type TaskId } from '@drydock/core';
import pc from 'picocolors';
import type { Standalone } from '../start-standalone.ts';
import type { SeenReview } from './demo-report.ts';
import { formatSeconds, renderProgress } from './render-progress.ts';

/** What is watched, and how it is told. */
export interface WatchedTask {
  readonly taskId: TaskId;
  /** The first launch that counts; what older ones brought was seen before. */
  readonly fromLaunch: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** As much of Drydock as it takes to watch. */
export interface WatchedStandalone extends Pick<Standalone, 'publications' | 'readRun' | 'readProgress'> {
  readonly queue: Pick<Standalone['queue'], 'get'>;
}

const pollMs = 50;
const reviewTimeoutMs = 15 * 60_000;
/** A demo that goes on failing should say so while somebody still looks. */
const maxAttempts = 3;

/** What a newcomer can do about the faults that a model of their own brings. */
const advice: Readonly<Record<string, string>> = {
  'model.unauthorized': 'Check ANTHROPIC_API_KEY',
  'model.billing': 'Check the credit of the account behind ANTHROPIC_API_KEY',
  'model.unreachable': 'Check DRYDOCK_MODEL_URL, and that the server runs',
  'model.tls': 'Check the certificate of the server in DRYDOCK_MODEL_URL',
  'model.not_found': 'Check DRYDOCK_MODEL: the server does not know a model of that name',
};

/**
 * Shows each attempt as it happens, until a review stands. Throws `TransientError` when the task ended in any other way,
 * when nothing but a person can help, and when attempt after attempt fails.
 */
export async function watchReview(
  standalone: WatchedStandalone,
  { taskId, fromLaunch, signal, say }: WatchedTask,
  clock: Clock,
): Promise<SeenReview & { readonly launch: number }> {
  const giveUpAtMs = clock.monotonicMs() + reviewTimeoutMs;
  let launch = fromLaunch;
  let after = 0;
  let submittedAtMs: number | null = null;
  for (;;) {
    const runId = runIdOf(taskId, launch);
    const run = await standalone.readRun(runId, signal);
    if (run !== null) {
      for (const entry of await standalone.readProgress(runId, after, signal)) {
        after = entry.seq;
        const line = renderProgress(entry, pc);
        if (line !== null) say(line);
      }
      if (run.result !== null) submittedAtMs ??= clock.monotonicMs();
      if (run.result?.kind === 'failed') endIfHopeless(run.result, launch - fromLaunch + 1);
    }
    const publication = standalone.publications.get(runId);
    if (publication !== undefined && run?.result?.kind === 'review') {
      const publishMs = clock.monotonicMs() - (submittedAtMs ?? clock.monotonicMs());
      say(`     ${pc.green('✓')} ${'publish'.padEnd(12)} ${formatSeconds(publishMs)}`);
      return { result: run.result, publication, publishMs, launch };
    }
    const task = await standalone.queue.get(taskId);
    if (task !== null && task.outcome !== null && task.outcome.kind !== 'done') {
      throw incomplete(`The review ended as ${task.outcome.kind}: ${task.lastError?.message ?? task.outcome.why}`);
    }
    if (task !== null && task.launch > launch) {
      launch = task.launch;
      after = 0;
      submittedAtMs = null;
      say(`     ${pc.yellow('↻')} attempt ${String(launch - fromLaunch + 1)}`);
      continue;
    }
    if (clock.monotonicMs() >= giveUpAtMs) {
      throw incomplete(`There is no review after ${String(reviewTimeoutMs / 60_000)} minutes`);
    }
    await clock.sleep(pollMs, signal);
    signal.throwIfAborted();
  }
}

/** The queue would try again for hours, or wait for a person; who watches wants to know now. */
function endIfHopeless({ class: cls, code, message }: FailedResult, attempts: number): void {
  if (cls === 'transient' && code !== 'model.unreachable' && attempts < maxAttempts) return;
  const hint = advice[code];
  throw incomplete(`The review could not be done: ${message} (${code})${hint === undefined ? '' : `. ${hint}`}`);
}

function incomplete(message: string): TransientError {
  return new TransientError('run.incomplete', message);
}
