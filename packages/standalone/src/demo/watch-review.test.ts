import { describe, expect, it } from '@jest/globals';
import {
  runIdOf,
  taskIdOf,
  type FailedResult,
  type Publication,
  type ReviewResult,
  type RunId,
  type RunView,
  type TaskOutcome,
} from '@drydock/core';
import type { TaskView } from '@drydock/queue';
import { ManualClock } from '@drydock/testkit';
import { watchReview, type WatchedStandalone } from './watch-review.ts';

const subject = { forge: 'gitlab', projectId: '1', iid: 1 };
const taskId = taskIdOf('review', subject);
const usage = { calls: 1, reusedCalls: 0, tokens: { input: 1, output: 1, cacheRead: 0, cacheWrite: 0 }, costUsd: null };
const review: ReviewResult = {
  kind: 'review',
  headSha: 'a'.repeat(40),
  partial: null,
  partialCode: null,
  summary: '',
  findings: [],
  changedFiles: 1,
  notRead: [],
  turns: 1,
  stagesMs: {},
};
const publication: Publication = {
  v: 1,
  headSha: review.headSha,
  state: 'done',
  verdict: 'clean',
  comments: [],
  resolved: 0,
  heldBack: {},
  usage,
  summaryUrl: null,
};

function aFailure(changes: Partial<FailedResult> = {}): FailedResult {
  const code = 'model.overloaded';
  return { kind: 'failed', class: 'transient', code, message: 'The model failed.', retryAfterMs: null, ...changes };
}

/** Attempt by attempt what its agent handed in; the task is at the last one. */
function aStandalone(attempts: readonly (FailedResult | ReviewResult)[], outcome: TaskOutcome | null = null) {
  let reached = 1;
  const runs = new Map<RunId, RunView>();
  const publications = new Map<RunId, Publication>();
  for (const [index, result] of attempts.entries()) {
    const launch = index + 1;
    const runId = runIdOf(taskId, launch);
    runs.set(runId, { v: 1, runId, taskId, launch, isRevoked: false, isPublished: false, result, usage });
    if (result.kind === 'review') publications.set(runId, publication);
  }
  const standalone: WatchedStandalone = {
    publications,
    readRun: (runId) => Promise.resolve(runs.get(runId) ?? null),
    readProgress: () => Promise.resolve([]),
    queue: {
      get: () => {
        const launch = Math.min(reached, attempts.length);
        reached += 1; // each look finds the next attempt begun
        const view: TaskView = {
          taskId,
          kind: 'review',
          subject,
          projectPath: 'a/b',
          state: 'running',
          trigger: 'opened',
          headSha: review.headSha,
          lease: launch,
          launch,
          failures: 0,
          isDirty: false,
          readyAtMs: null,
          queuedAtMs: 0,
          outcome,
          endedAtMs: null,
          lastError: null,
        };
        return Promise.resolve(view);
      },
    },
  };
  return standalone;
}

async function watch(standalone: WatchedStandalone, fromLaunch = 1) {
  const said: string[] = [];
  const clock = new ManualClock();
  const never = new AbortController();
  const say = (text: string) => said.push(text);
  const watched = watchReview(standalone, { taskId, fromLaunch, signal: never.signal, say }, clock).then(
    (seen) => ({ launch: seen.launch, error: null, said }),
    (error: unknown) => ({ launch: null, error: String(error), said }),
  );
  await clock.advance(20 * 60_000);
  return await watched;
}

describe('watchReview', () => {
  it('goes on with the next attempt when one failed, and says so', async () => {
    const { launch, error, said } = await watch(aStandalone([aFailure(), review]));

    expect({ launch, error }).toEqual({ launch: 2, error: null });
    expect(said.join('\n')).toContain('attempt 2');
  });

  it('sees only attempts from the one it was told on', async () => {
    expect(await watch(aStandalone([review, review]), 2)).toMatchObject({ launch: 2 });
  });

  it('does not wait for a person to mend a refused key: it says what to do', async () => {
    const refused = aFailure({
      class: 'blocked',
      code: 'model.unauthorized',
      message: 'The model refuses our access.',
    });

    const { error } = await watch(aStandalone([refused]));

    expect(error).toMatch(/refuses our access.*model\.unauthorized.*ANTHROPIC_API_KEY/);
  });

  it('ends when attempt after attempt fails', async () => {
    const { error } = await watch(aStandalone([aFailure(), aFailure(), aFailure(), review]));

    expect(error).toContain('model.overloaded');
  });

  it('ends when the task ended without a review, whatever its launch', async () => {
    const { error } = await watch(aStandalone([], { kind: 'skipped', why: 'draft' }), 3);

    expect(error).toMatch(/skipped: draft/);
  });

  it('gives up in the end', async () => {
    const nothing = { ...aStandalone([]), queue: { get: () => Promise.resolve(null) } };

    expect((await watch(nothing)).error).toContain('no review after 15 minutes');
  });
});
