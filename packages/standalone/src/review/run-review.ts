/**
 * `drydock review`: one review of one change, without any server. The gateway runs in this process, the agent as its
 * child, by the same rules as on a cluster; what is missing is the queue, and whatever decides when to review.
 */
import { findLocalChange } from './local-change.ts';
import type { ReviewEnd, ReviewPorts, ReviewSettings } from './review-settings.ts';

/** Reviews a change. Throws `ConfigError` for settings that cannot be right, and bugs; all else is an end. */
export async function runReview(settings: ReviewSettings, ports: ReviewPorts): Promise<ReviewEnd> {
  const { subject, searchPath, environment, tempDir } = settings;
  if (subject.kind === 'merge-request') {
    const { reviewMergeRequest } = await import('./review-merge-request.ts');
    return reviewMergeRequest({ ...settings, subject }, ports);
  }
  const found = await findLocalChange({ ...subject.wanted, searchPath }, { tempDir, environment }, ports.signal);
  if (found.kind !== 'found') return found;
  await using change = found.change;
  ports.onProgress({ kind: 'change', told: change.told });
  // Most of the program. Not while git looks for the change: it would keep us from reading git's answers.
  const { reviewLocalChange } = await import('./review-change.ts');
  return await reviewLocalChange(change, settings, ports);
}
