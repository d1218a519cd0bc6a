/** Random operations for both queues, and what must be true of them after each. */
import {
  DrydockError,
  Trigger,
  projectKeyOf,
  taskIdOf,
  type PauseScope,
  type ProjectKey,
  type ProjectShare,
  type TaskId,
  type TaskOutcome,
} from '@drydock/core';
import fc from 'fast-check';
import { z } from 'zod';
import type { HeldLease, TaskQueue } from '../task-queue.ts';
import { aFailure, aTaskRequest, noonMs, sha } from './queue-under-test.ts';

/** Short times, so that they pass within a sequence. */
export const modelSettings = {
  retentionMs: 100_000,
  deliveryTtlMs: 50_000,
  retry: { maxAttempts: 2, baseMs: 4_000, capMs: 10_000 },
  infraRetry: { maxAttempts: 2, baseMs: 1_000, capMs: 10_000 },
};

/** What a sequence asks for of which the answer says what became of it. */
type ModelCommand = keyof typeof everyAnswer | 'other';

/** All answers of each command, as `answerWord` names them. */
export const everyAnswer = {
  enqueue: ['queued', 'coalesced', 'duplicate', 'superseding', 'marked-dirty'],
  lease: ['none', 'leased', 'adopted leased', 'adopted running', 'adopted publishing'],
  extend: ['held', 'held superseded', 'held closed', 'held cancelled', 'lost'],
  beginLaunch: ['begun', 'lost', 'merge_request.head_moved'],
  beginPublishing: ['publishing', 'lost'],
  complete: ['completed', 'completed requeued', 'lost'],
  fail: ['retrying', 'dead', 'cancelled', 'lost'],
  release: ['released', 'cancelled', 'lost'],
  handOver: ['handed-over', 'lost'],
  interrupt: ['interrupted', 'absent'],
  cancel: ['cancelled', 'cancelling', 'absent'],
  retry: ['queued', 'waiting', 'running', 'absent'],
  pause: ['paused', 'already'],
  resume: ['resumed', 'absent'],
} as const;

const Answer = z.object({
  kind: z.string().optional(),
  refused: z.string().optional(),
  requeued: z.boolean().optional(),
  interrupt: z.string().nullish(),
  adopted: z.object({ state: z.string() }).nullish(),
});

/** An answer in a word or two; null: nothing was asked, as of a lease that nobody had. */
export function answerWord(command: ModelCommand, answer: unknown): string | null {
  if (command === 'other') return null;
  if (typeof answer === 'string') return answer;
  if (answer === null) return command === 'lease' ? 'none' : null;
  const { kind, refused, requeued, interrupt, adopted } = Answer.parse(answer);
  if (refused !== undefined) return refused;
  if (command === 'lease') return adopted === undefined || adopted === null ? 'leased' : `adopted ${adopted.state}`;
  return [kind, requeued === true ? 'requeued' : null, interrupt].filter((word) => typeof word === 'string').join(' ');
}

/** One operation on a queue; `leases` are all that were given so far, old ones included. */
export interface QueueStep {
  readonly label: string;
  readonly command: ModelCommand;
  readonly run: (queue: TaskQueue, leases: readonly HeldLease[]) => Promise<unknown>;
}

/** What a sequence is made of: an operation, time that passes, or a store that may have lost its memory. */
export type ModelStep = QueueStep | { readonly ms: number } | { readonly newEpoch: true };

/** A project of the model. */
interface ModelProject {
  readonly forge: string;
  readonly projectId: string;
}

const head = fc.constantFrom(sha('a'), sha('b'));
const failure = fc
  .record({
    class: fc.constantFrom('transient' as const, 'terminal' as const, 'infra' as const),
    retryAfterMs: fc.constantFrom(null, 0, 2_500),
  })
  .map(aFailure);
const outcome: fc.Arbitrary<TaskOutcome> = fc.oneof(
  fc.constant({ kind: 'done' as const }),
  fc.constant({ kind: 'superseded' as const, why: 'model' }),
  fc.constantFrom('skipped' as const, 'cancelled' as const, 'dead' as const).map((kind) => ({ kind, why: 'model' })),
);

function enqueueStep(projects: fc.Arbitrary<ModelProject>): fc.Arbitrary<QueueStep> {
  return fc
    .record({
      project: projects,
      iid: fc.constantFrom(1, 2),
      trigger: fc.oneof(fc.constantFrom(...Trigger.options), fc.constantFrom('pushed' as const, 'commanded' as const)),
      headSha: fc.option(head, { freq: 3 }),
      occurredAtMs: fc.option(fc.integer({ min: noonMs, max: noonMs + 2 }), { freq: 3 }),
      hasCommand: fc.boolean(),
      projectPath: fc.constantFrom('group/project', 'moved/project'),
      deliveryKeys: fc.oneof(
        { weight: 2, arbitrary: fc.constant<string[]>([]) },
        { weight: 1, arbitrary: fc.uniqueArray(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5'), { maxLength: 2 }) },
      ),
      times: fc.constantFrom([0, 0], [0, 0], [3_000, 10_000], [20_000, 5_000]),
    })
    .map(({ project, iid, hasCommand, deliveryKeys, times: [debounceMs = 0, maxDebounceMs = 0], ...facts }) => {
      const command = hasCommand ? { verb: 'review' as const, noteId: '1', userId: '2' } : null;
      const request = { ...aTaskRequest({ ...facts, command }), subject: { ...project, iid } };
      return {
        command: 'enqueue',
        label: `enqueue ${JSON.stringify({ request, deliveryKeys, debounceMs, maxDebounceMs })}`,
        run: (queue) => queue.enqueue(request, { deliveryKeys, debounceMs, maxDebounceMs }),
      };
    });
}

const leaseStep = fc
  .record({
    total: fc.constantFrom(0, 1, 2, 3, 9, 9),
    perForge: fc.constantFrom(null, null, 1, 2),
    perProject: fc.constantFrom(null, null, 1, 2),
  })
  .map((limits): QueueStep => ({
    command: 'lease',
    label: `lease within ${JSON.stringify(limits)}`,
    run: (queue) => queue.lease({ owner: 'model', ttlMs: 10_000, limits }),
  }));

type HeldAct = readonly [
  name: string,
  act: (queue: TaskQueue, held: HeldLease) => Promise<unknown>,
  command: ModelCommand,
];
const heldAct: fc.Arbitrary<HeldAct> = fc.oneof(
  fc.constantFrom<HeldAct>(
    ['extend', (queue, held) => queue.extend(held, 10_000), 'extend'],
    ['beginPublishing', (queue, held) => queue.beginPublishing(held), 'beginPublishing'],
    ['handOver', (queue, held) => queue.handOver(held), 'handOver'],
    ['release', (queue, held) => queue.release(held, { delayMs: 0, why: 'model' }), 'release'],
    ['release for 7 s', (queue, held) => queue.release(held, { delayMs: 7_000, why: 'model | again' }), 'release'],
  ),
  head.map((commit): HeldAct => [
    `beginLaunch ${commit}`,
    (queue, held) => queue.beginLaunch(held, commit),
    'beginLaunch',
  ]),
  outcome.map((end): HeldAct => [
    `complete ${JSON.stringify(end)}`,
    (queue, held) => queue.complete(held, end),
    'complete',
  ]),
  failure.map((fault): HeldAct => [`fail ${JSON.stringify(fault)}`, (queue, held) => queue.fail(held, fault), 'fail']),
);
/** Counted back from the newest lease, which mostly still holds. */
const heldIndex = fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 1 }) }, { weight: 1, arbitrary: fc.nat({ max: 9 }) });
const heldStep = fc.tuple(heldIndex, heldAct).map(([index, [name, act, command]]): QueueStep => ({
  command,
  label: `${name} by ${index}`,
  run: async (queue, leases) => {
    const held = leases.at(-1 - index);
    return held === undefined ? null : act(queue, held);
  },
}));

/** Rarely asked for by chance alone: the newest holder hears that it is to stop. */
const stopStep = fc
  .constantFrom('superseded' as const, 'closed' as const, 'cancelled' as const)
  .map((interrupt): QueueStep => ({
    command: 'extend',
    label: `${interrupt} and extend by 0`,
    run: async (queue, leases) => {
      const held = leases.at(-1);
      if (held === undefined) return null;
      await queue.interrupt(held.taskId, interrupt);
      return queue.extend(held, 10_000);
    },
  }));

function orderStep(projects: fc.Arbitrary<ModelProject>): fc.Arbitrary<QueueStep> {
  return fc
    .tuple(projects, fc.constantFrom(1, 2), fc.constantFrom('cancel', 'retry', 'superseded', 'closed', 'cancelled'))
    .map(([project, iid, order]): QueueStep => {
      const taskId = taskIdOf('review', { ...project, iid });
      return {
        command: order === 'cancel' || order === 'retry' ? order : 'interrupt',
        label: `${order} ${taskId}`,
        run: (queue) => {
          if (order === 'cancel') return queue.cancel(taskId, 'ann');
          if (order === 'retry') return queue.retry(taskId, 'ann');
          return queue.interrupt(taskId, order === 'closed' || order === 'cancelled' ? order : 'superseded');
        },
      };
    });
}

function pauseStep(projects: fc.Arbitrary<ModelProject>): fc.Arbitrary<QueueStep> {
  const scope = fc.oneof(
    { weight: 1, arbitrary: fc.constant<PauseScope>({ kind: 'all' }) },
    { weight: 2, arbitrary: projects.map(({ forge }): PauseScope => ({ kind: 'forge', forge })) },
    { weight: 4, arbitrary: projects.map((project): PauseScope => ({ kind: 'project', ...project })) },
  );
  return fc.tuple(scope, fc.boolean()).map(([where, begins]): QueueStep => ({
    command: begins ? 'pause' : 'resume',
    label: `${begins ? 'pause' : 'resume'} ${JSON.stringify(where)}`,
    run: (queue) => (begins ? queue.pause(where, 'ann', 'model') : queue.resume(where, 'bob')),
  }));
}

function sharesStep(projects: fc.Arbitrary<ModelProject>): fc.Arbitrary<QueueStep> {
  const share: fc.Arbitrary<ProjectShare> = fc.record({
    weight: fc.constantFrom(1, 2, 3, 100),
    maxRunning: fc.constantFrom(null, 1, 2),
  });
  return fc.array(fc.tuple(projects, share), { maxLength: 2 }).map((pairs): QueueStep => {
    const shares = new Map<ProjectKey, ProjectShare>(pairs.map(([project, its]) => [projectKeyOf(project), its]));
    return {
      command: 'other',
      label: `shares ${JSON.stringify([...shares])}`,
      run: (queue) => queue.setShares(shares),
    };
  });
}

const pagesStep = fc.constantFrom(1, 2, 3).map((limit): QueueStep => ({
  command: 'other',
  label: `pages of ${limit}`,
  run: async (queue) => [await allPages(limit, (at) => queue.list(at)), await projectsOf(queue, limit)],
}));

const sweepStep = fc.constant<QueueStep>({
  command: 'other',
  label: 'sweep done',
  run: async (queue) => queue.sweepDone((await queue.epoch()).epoch),
});

const timeStep = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, 1_000, 3_000) },
    { weight: 2, arbitrary: fc.constantFrom(10_000, 60_000) },
    { weight: 1, arbitrary: fc.constant(43_200_000) },
  )
  .map((ms) => ({ ms }));

/** Sequences over these projects. */
export function sequencesOver(
  known: readonly ModelProject[],
  length: { readonly minLength: number; readonly maxLength: number },
): fc.Arbitrary<ModelStep[]> {
  const projects = fc.constantFrom(...known);
  return fc.array(
    fc.oneof(
      { weight: 12, arbitrary: enqueueStep(projects) },
      { weight: 9, arbitrary: leaseStep },
      { weight: 14, arbitrary: heldStep },
      { weight: 2, arbitrary: stopStep },
      { weight: 6, arbitrary: orderStep(projects) },
      { weight: 2, arbitrary: pauseStep(projects) },
      { weight: 2, arbitrary: sharesStep(projects) },
      { weight: 1, arbitrary: pagesStep },
      { weight: 1, arbitrary: sweepStep },
      { weight: 6, arbitrary: timeStep },
      { weight: 1, arbitrary: fc.constant({ newEpoch: true as const }) },
    ),
    { ...length, size: 'max' },
  );
}

/** What an operation answered, or the error that it refused with. */
export async function answerOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    return { refused: error.code };
  }
}

/** All that can be seen of a queue in a few questions. */
export async function observe(queue: TaskQueue): Promise<unknown> {
  return Promise.all([queue.list({ limit: 20 }), queue.stats(), projectsOf(queue, 20), queue.pauses()]);
}

/** The histories of all tasks, and the epoch. */
export async function observeAll(queue: TaskQueue, taskIds: readonly TaskId[]): Promise<unknown> {
  return Promise.all([
    queue.epoch(),
    queue.pauseEvents(),
    queue.parked(),
    ...taskIds.map((taskId) => queue.events(taskId)),
  ]);
}

/** Whether an answer is a lease. */
export function isLease(answer: unknown): answer is HeldLease {
  return typeof answer === 'object' && answer !== null && 'lease' in answer && 'adopted' in answer;
}

/** The path of a project that has nothing may be forgotten. */
async function projectsOf(queue: TaskQueue, limit: number): Promise<unknown> {
  const projects: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Awaited<ReturnType<TaskQueue['projects']>> = await queue.projects({ limit, cursor });
    for (const { projectPath, ...project } of page.projects) {
      projects.push(project.waiting + project.running === 0 ? project : { ...project, projectPath });
    }
    ({ cursor } = page);
  }
  return projects;
}

async function allPages(limit: number, read: TaskQueue['list']): Promise<unknown> {
  const pages: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Awaited<ReturnType<TaskQueue['list']>> = await read({ limit, cursor });
    pages.push(page);
    ({ cursor } = page);
  }
  return pages;
}
