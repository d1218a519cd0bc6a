/** One round's way through a forge: it counts calls, keeps the right to sweep, and enqueues what was missed. */
import {
  BlockedError,
  DrydockError,
  TransientError,
  taskIdOf,
  type NumericId,
  type OpenMergeRequest,
  type OpenMergeRequestPage,
  type ProjectPage,
} from '@drydock/core';
import { planSweep } from './plan-sweep.ts';
import type { OpenMergeRequestQuery } from './sweep-gateway.ts';
import type { SweepPorts } from './sweep-ports.ts';

/** A project as the forge names it. */
export type SweptProject = ProjectPage['projects'][number];

/** Told to the walk from outside: it does no more. */
export class SweepLost extends Error {}

/** What one round may do, and in whose name. */
export interface SweepRound {
  readonly forge: string;
  readonly signal: AbortSignal;
  /** Keeps the right to sweep; false: it is another's. */
  readonly keepRight: () => Promise<boolean>;
}

/** Webhooks of the same event may yet come: what is found waits as long for them as for one another. */
const debounceMs = 15_000;
/** Of 100 merge requests each. */
const maxPages = 100;
const maxFailuresInARow = 5;
const maxUnreadableTold = 10;

/** Counts what it does; one for each round. */
export class SweepWalk {
  readonly #ports: SweepPorts;
  readonly #round: SweepRound;
  #failuresInARow = 0;
  calls = 0;
  healed = 0;
  /** Merge requests whose task in the store is none that can be read. */
  unreadable = 0;
  /** When the newest change that was seen happened, by the forge's clock; null: none was seen. */
  newestMs: number | null = null;

  constructor(ports: SweepPorts, round: SweepRound) {
    this.#ports = ports;
    this.#round = round;
  }

  /** Asks the gateway, in the name of who has the right to. Throws `SweepLost` when that is another now. */
  async ask<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, keepRight } = this.#round;
    if (signal.aborted || !(await keepRight())) throw new SweepLost();
    this.calls += 1;
    return await call(signal);
  }

  /** A page of the projects that are reviewed. */
  async projects(cursor: string | null): Promise<ProjectPage> {
    const page = await this.ask((signal) => this.#ports.gateway.listProjects(this.#round.forge, cursor, signal));
    const isWanted = ({ projectId, projectPath }: SweptProject) => this.#ports.isProjectAllowed(projectId, projectPath);
    return { ...page, projects: page.projects.filter(isWanted) };
  }

  /** All of one project, or (null) of all of them. */
  async sweepOpen(
    projectId: NumericId | null,
    updatedAfterMs: number,
    isWanted: (mergeRequest: OpenMergeRequest) => boolean = () => true,
  ): Promise<void> {
    const { gateway } = this.#ports;
    let cursor: string | null = null;
    for (let count = 0; count === 0 || cursor !== null; count += 1) {
      if (count === maxPages) throw new TransientError('forge.bad_answer', 'there are too many open merge requests');
      const query: OpenMergeRequestQuery = {
        projectId,
        updatedAfterMs: Math.max(0, Math.floor(updatedAfterMs)),
        cursor,
      };
      const page: OpenMergeRequestPage = await this.ask((signal) =>
        gateway.listOpenMergeRequests(this.#round.forge, query, signal),
      );
      for (const { updatedAtMs } of page.mergeRequests) this.newestMs = Math.max(this.newestMs ?? 0, updatedAtMs);
      await Promise.all(page.mergeRequests.filter(isWanted).map((mergeRequest) => this.#trySweepOne(mergeRequest)));
      cursor = page.cursor;
    }
  }

  /** As `sweepOpen`, but a project's own trouble is told and answered with, and stops no other one. */
  async tryProject(project: SweptProject, updatedAfterMs: number): Promise<'swept' | 'refused' | 'failed'> {
    try {
      await this.sweepOpen(project.projectId, updatedAfterMs);
      this.#failuresInARow = 0;
      return 'swept';
    } catch (err) {
      if (!(err instanceof DrydockError) || concernsAll(err)) throw err;
      const isRefused = err.code === 'forge.forbidden' || err.code === 'forge.not_found';
      const { projectId, projectPath } = project;
      const facts = { forge: this.#round.forge, project: projectPath, projectId, code: err.code, err };
      // What may not be read stays so, round after round.
      if (isRefused) this.#ports.log.debug(facts, 'project not shown to us');
      else this.#ports.log.warn(facts, 'project not swept');
      if (isRefused) return 'refused';
      this.#failuresInARow += 1;
      if (this.#failuresInARow >= maxFailuresInARow) throw err;
      return 'failed';
    }
  }

  /** A task that cannot be read is one merge request's trouble: all others are looked at. */
  async #trySweepOne(mergeRequest: OpenMergeRequest): Promise<void> {
    try {
      await this.#sweepOne(mergeRequest);
    } catch (err) {
      if (!(err instanceof BlockedError) || err.code !== 'queue.wrong_type') throw err;
      this.unreadable += 1;
      if (this.unreadable > maxUnreadableTold) return;
      const { ref, projectPath } = mergeRequest;
      const facts = { taskId: taskIdOf('review', ref), project: projectPath, iid: ref.iid, code: err.code, err };
      this.#ports.log.error(facts, 'merge request not swept: its task in the store cannot be read');
    }
  }

  async #sweepOne(mergeRequest: OpenMergeRequest): Promise<void> {
    const { queue, log } = this.#ports;
    const { ref, projectPath, headSha, updatedAtMs } = mergeRequest;
    const taskId = taskIdOf('review', ref);
    const plan = planSweep(mergeRequest, await queue.get(taskId));
    if (plan.kind === 'leave') return;
    const { kind } = await queue.enqueue(
      {
        v: 1,
        kind: 'review',
        subject: ref,
        projectPath,
        trigger: 'swept',
        headSha,
        occurredAtMs: updatedAtMs,
        command: null,
      },
      { deliveryKeys: [], debounceMs, maxDebounceMs: 4 * debounceMs },
    );
    if (kind === 'coalesced' || kind === 'duplicate') return; // a webhook was faster
    this.healed += 1;
    log.info(
      { taskId, project: projectPath, iid: ref.iid, headSha: headSha ?? '', reason: plan.reason },
      'missed event found by the sweep',
    );
  }
}

/** Whether an error is of the forge, the gateway or the store, rather than of one project. */
function concernsAll(error: DrydockError): boolean {
  if (error.code === 'forge.rate_limited' || error.code === 'aborted') return true;
  if (error instanceof BlockedError) return error.code !== 'forge.forbidden';
  return /^(?:gateway|queue)\./.test(error.code);
}
