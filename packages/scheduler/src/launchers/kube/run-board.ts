import type { RunId } from '@drydock/core';
import type { Watched } from '@drydock/kube';
import type { JobFacts, PodFacts } from './run-facts.ts';

/** What the two watches hold, by run. One of each serves all runs of a process. */
export class RunBoard {
  readonly #jobs: Watched<JobFacts>;
  readonly #byRun = new Map<RunId, { job: Map<string, JobFacts>; pods: Map<string, PodFacts> }>();
  readonly #listeners = new Map<RunId, Set<() => void>>();
  readonly #pods: Watched<PodFacts>;

  constructor(jobs: Watched<JobFacts>, pods: Watched<PodFacts>) {
    this.#jobs = jobs;
    this.#pods = pods;
    for (const job of jobs.list()) this.#of(job.runId).job.set(job.uid, job);
    for (const pod of pods.list()) this.#of(pod.runId).pods.set(pod.uid, pod);
    jobs.onChange((change) => {
      const { runId, uid } = change.kind === 'set' ? change.value : change.previous;
      if (change.kind === 'set') this.#of(runId).job.set(uid, change.value);
      else this.#of(runId).job.delete(uid);
      this.#tell(runId);
    });
    pods.onChange((change) => {
      const { runId, uid } = change.kind === 'set' ? change.value : change.previous;
      if (change.kind === 'set') this.#of(runId).pods.set(uid, change.value);
      else this.#of(runId).pods.delete(uid);
      this.#tell(runId);
    });
  }

  /** Resolves when both first lists are held. */
  async ready(): Promise<void> {
    await Promise.all([this.#jobs.ready, this.#pods.ready]);
  }

  /** How old what is held may be. */
  ageMs(): number {
    return Math.max(this.#jobs.ageMs(), this.#pods.ageMs());
  }

  jobs(): readonly JobFacts[] {
    return this.#jobs.list();
  }

  allPods(): readonly PodFacts[] {
    return this.#pods.list();
  }

  /** Of one run there is one Job; what has another uid is an earlier one of its name, on its way out. */
  job(runId: RunId, uid: string): JobFacts | null {
    return this.#byRun.get(runId)?.job.get(uid) ?? null;
  }

  jobsOf(runId: RunId): readonly JobFacts[] {
    return [...(this.#byRun.get(runId)?.job.values() ?? [])];
  }

  podsOf(runId: RunId): readonly PodFacts[] {
    return [...(this.#byRun.get(runId)?.pods.values() ?? [])];
  }

  /** Told of each change of a run's Job or pods, until what is answered is called. */
  onRun(runId: RunId, listener: () => void): () => void {
    const listeners = this.#listeners.get(runId) ?? new Set();
    this.#listeners.set(runId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(runId) === listeners) this.#listeners.delete(runId);
    };
  }

  #of(runId: RunId) {
    const found = this.#byRun.get(runId) ?? { job: new Map<string, JobFacts>(), pods: new Map<string, PodFacts>() };
    this.#byRun.set(runId, found);
    return found;
  }

  #tell(runId: RunId): void {
    const of = this.#byRun.get(runId);
    if (of?.job.size === 0 && of.pods.size === 0) this.#byRun.delete(runId);
    for (const listener of this.#listeners.get(runId) ?? []) listener();
  }
}
