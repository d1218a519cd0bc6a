/** Runs for tests. */
import { ReviewPolicy, runIdOf, taskIdOf, type TaskContext } from '@drydock/core';
import type { Reservation, RunRecord } from './run-store.ts';

interface RunParts {
  readonly iid?: number;
  readonly launch?: number;
  readonly context?: Partial<TaskContext>;
}

/** What an agent of merge request 7 is told. */
export function aTaskContext({ iid = 7, launch = 1, context = {} }: RunParts = {}): TaskContext {
  const subject = context.subject ?? { forge: 'gitlab', projectId: '42', iid };
  return {
    v: 1,
    taskId: taskIdOf('review', subject),
    launch,
    subject,
    trigger: 'opened',
    mergeRequest: {
      title: 'Add a thing',
      description: 'It adds a thing.',
      author: 'ada',
      sourceBranch: 'feature',
      targetBranch: 'main',
      labels: [],
    },
    diffRefs: { baseSha: 'a'.repeat(40), startSha: 'b'.repeat(40), headSha: 'c'.repeat(40) },
    policy: ReviewPolicy.parse({}),
    guidelines: [],
    earlierFindings: [],
    delimiter: '0123456789abcdef',
    ...context,
  };
}

/** The first launch of that task. */
export function aRunRecord(parts: RunParts = {}): RunRecord {
  const context = aTaskContext(parts);
  return {
    v: 1,
    runId: runIdOf(context.taskId, context.launch),
    context,
    projectPath: 'group/project',
    startedAtMs: 1_000,
    deadlineAtMs: 1_000_000,
  };
}

/** A call of that run. */
export function aReservation({
  iid,
  launch,
  ...rest
}: RunParts & Partial<Omit<Reservation, 'runId'>> = {}): Reservation {
  const { taskId, launch: number } = aTaskContext({
    ...(iid === undefined ? {} : { iid }),
    ...(launch === undefined ? {} : { launch }),
  });
  return { runId: runIdOf(taskId, number), id: 'call-1', day: '2026-11-21', nanoUsd: 100, tokens: 20, ...rest };
}
