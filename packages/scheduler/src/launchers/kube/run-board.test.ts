import { describe, expect, it } from '@jest/globals';
import type { Change, Watched } from '@drydock/kube';
import fc from 'fast-check';
import { aJob, aPod } from '../../testing/kube-facts.ts';
import { RunBoard } from './run-board.ts';
import type { JobFacts, PodFacts } from './run-facts.ts';

interface Known {
  readonly name: string;
  readonly uid: string;
}

/** What a watch holds, and tells of it: whatever came in before, what it holds now is the truth. */
class HandWatched<P extends Known> implements Watched<P> {
  readonly ready = Promise.resolve();
  readonly ended = Promise.resolve();
  readonly isReady = true;
  readonly #held = new Map<string, P>();
  readonly #listeners = new Set<(change: Change<P>) => void>();

  get size(): number {
    return this.#held.size;
  }

  get(key: string): P | undefined {
    return this.#held.get(key);
  }

  list(): readonly P[] {
    return [...this.#held.values()];
  }

  ageMs(): number {
    return 0;
  }

  onChange(listener: (change: Change<P>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A name that is another object now: the one of before went. */
  set(value: P): void {
    const before = this.#held.get(value.name);
    if (before !== undefined && before.uid !== value.uid) this.remove(before);
    const previous = before?.uid === value.uid ? before : null;
    this.#held.set(value.name, value);
    this.#tell({ kind: 'set', key: value.name, value, previous });
  }

  remove({ name, uid }: Known): void {
    const previous = this.#held.get(name);
    if (previous?.uid !== uid) return;
    this.#held.delete(name);
    this.#tell({ kind: 'gone', key: name, previous });
  }

  /** As a list after a gap does: what it does not name is gone, and nobody said so. */
  replaceAll(values: readonly P[]): void {
    for (const held of this.list()) if (!values.some(({ uid }) => uid === held.uid)) this.remove(held);
    for (const value of values) this.set(value);
  }

  #tell(change: Change<P>): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const runs = ['0000000000000001-1', '0000000000000001-2', '0000000000000002-1'];
const anObject = fc.record({ runId: fc.constantFrom(...runs), number: fc.integer({ min: 0, max: 2 }) });
const aStep = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), of: fc.constantFrom('job', 'pod'), object: anObject }),
  fc.record({ kind: fc.constant('gone' as const), of: fc.constantFrom('job', 'pod'), object: anObject }),
  fc.record({ kind: fc.constant('list' as const), of: fc.constantFrom('job', 'pod'), objects: fc.array(anObject) }),
);
type Named = { readonly runId: string; readonly number: number };

const jobOf = ({ runId, number }: Named): JobFacts =>
  aJob({ runId, name: `dd-${runId}`, uid: `job-${runId}-${String(number)}` });
const podOf = ({ runId, number }: Named): PodFacts =>
  aPod({ runId, name: `dd-${runId}-${String(number)}`, uid: `pod-${runId}-${String(number)}` });

describe('what is held of runs', () => {
  it('reported 18: is the truth after any order of events, doubled or missing', () => {
    fc.assert(
      fc.property(fc.array(anObject), fc.array(aStep, { maxLength: 60 }), (atFirst, steps) => {
        const jobs = new HandWatched<JobFacts>();
        const pods = new HandWatched<PodFacts>();
        jobs.replaceAll(atFirst.map(jobOf));
        pods.replaceAll(atFirst.map(podOf));
        const board = new RunBoard(jobs, pods);
        const seen = new Map(runs.map((runId) => [runId, board.jobsOf(runId).length + board.podsOf(runId).length]));
        for (const runId of runs) {
          board.onRun(runId, () => seen.set(runId, board.jobsOf(runId).length + board.podsOf(runId).length));
        }

        for (const step of steps) {
          if (step.kind === 'list') {
            if (step.of === 'job') jobs.replaceAll(step.objects.map(jobOf));
            else pods.replaceAll(step.objects.map(podOf));
          } else if (step.of === 'job') {
            if (step.kind === 'set') jobs.set(jobOf(step.object));
            else jobs.remove(jobOf(step.object));
          } else if (step.kind === 'set') pods.set(podOf(step.object));
          else pods.remove(podOf(step.object));
        }

        for (const runId of runs) {
          const truth = {
            jobs: jobs.list().filter((job) => job.runId === runId),
            pods: pods.list().filter((pod) => pod.runId === runId),
          };
          expect(new Set(board.jobsOf(runId))).toEqual(new Set(truth.jobs));
          expect(new Set(board.podsOf(runId))).toEqual(new Set(truth.pods));
          expect(seen.get(runId)).toBe(truth.jobs.length + truth.pods.length);
        }
      }),
    );
  });
});
