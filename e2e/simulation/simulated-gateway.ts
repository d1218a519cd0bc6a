import {
  ReviewPolicy,
  StaleError,
  TerminalError,
  TransientError,
  runIdOf,
  type AgentResult,
  type Clock,
  type DiffRefs,
  type Member,
  type MergeRequest,
  type MergeRequestRef,
  type Publication,
  type ReviewResult,
  type RunGrant,
  type RunId,
  type RunRequest,
  type RunView,
  type RunsOver,
  type Sha,
  type StateRequest,
  type StateWritten,
} from '@drydock/core';
import { silentLog } from '@drydock/core';
import type { Forge } from '@drydock/forge';
import {
  publishReview,
  readReviewed,
  writeState,
  type MarkerKeys,
  type RunStore,
  type StoredRun,
} from '@drydock/gateway';
import type { Gateway } from '@drydock/scheduler';
import type { BadNetwork } from './bad-network.ts';
import { heldBy } from './held-port.ts';
import type { MortalProcess } from './mortal-process.ts';
import { changeAt } from './simulated-changes.ts';
import type { SimulatedForge } from './simulated-forge.ts';

/** What a simulated gateway stands between. */
export interface SimulatedGatewayParts {
  readonly process: MortalProcess;
  readonly clock: Clock;
  readonly forge: SimulatedForge;
  readonly toForge: BadNetwork;
  readonly toStore: BadNetwork;
  readonly store: RunStore;
  readonly markerKeys: MarkerKeys;
  /** Told what must never be. */
  readonly onViolation: (what: string) => void;
  /** Heads whose review stands and is recorded, over all gateways of the world. */
  readonly publishedHeads: Set<Sha>;
}

const policy = ReviewPolicy.parse({});
const title = {
  title: 'Rows',
  description: '',
  author: 'ada',
  sourceBranch: 'work',
  targetBranch: 'main',
  labels: [],
};

/**
 * A gateway without HTTP and git: what it writes to the forge and when, and what it remembers of runs, is the real code.
 * It dies in the middle of what it does, and its callers see a broken connection.
 */
export class SimulatedGateway implements Gateway {
  readonly #parts: SimulatedGatewayParts;
  readonly #store: RunStore;
  readonly #turns = new Map<number, Promise<unknown>>();

  constructor(parts: SimulatedGatewayParts) {
    this.#parts = parts;
    this.#store = heldBy(parts.process, parts.toStore, parts.store);
  }

  get isDead(): boolean {
    return this.#parts.process.isDead;
  }

  readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<MergeRequest> {
    return this.#serve(async () => {
      const ports = this.#ports(this.#forge());
      const { mergeRequest } = await ports.forge.readMergeRequest(ref, signal);
      return { ...mergeRequest, reviewed: await readReviewed(ports, ref, signal) };
    });
  }

  readMember(): Promise<Member> {
    return Promise.resolve({ v: 1, role: 'developer', isSelf: false, isBot: false });
  }

  writeState(ref: MergeRequestRef, request: StateRequest, signal: AbortSignal): Promise<StateWritten> {
    return this.#serve(() =>
      this.#inTurn(ref.iid, async () => {
        const kind = await writeState(this.#ports(this.#forge()), ref, request, policy, signal);
        return { v: 1, kind } as const;
      }),
    );
  }

  startRun({ taskId, launch, subject, diffRefs, trigger }: RunRequest, signal: AbortSignal): Promise<RunGrant> {
    const { clock, process, publishedHeads, onViolation } = this.#parts;
    return this.#serve(async () => {
      if (publishedHeads.has(diffRefs.headSha)) onViolation('paid again for a review that stands');
      const { headSha } = await this.#forge().readHead(subject, signal);
      if (headSha !== diffRefs.headSha) throw new StaleError('merge_request.head_moved', 'newer');
      const runId = runIdOf(taskId, launch);
      const context = {
        ...{ v: 1 as const, taskId, launch, subject, trigger, diffRefs, policy },
        ...{ mergeRequest: title, guidelines: [], earlierFindings: [], delimiter: '0123456789abcdef' },
      };
      const startedAtMs = clock.nowMs();
      const started = await this.#store.start(
        { v: 1, runId, context, projectPath: 'shop/orders', startedAtMs, deadlineAtMs: startedAtMs + 720_000 },
        runId,
      );
      process.reach('run.recorded');
      if (started === 'superseded') throw new StaleError('run.launch_superseded', 'a newer launch has begun');
      if (started === 'revoked') throw new StaleError('run.revoked', 'this launch was ended');
      return { kind: 'granted', runId, token: 't'.repeat(43), deadlineSeconds: 600 };
    });
  }

  readRun(runId: RunId): Promise<RunView | null> {
    return this.#serve(async () => {
      const run = await this.#store.get(runId);
      if (run === null) return null;
      const { context } = run.record;
      return {
        v: 1,
        runId,
        taskId: context.taskId,
        launch: context.launch,
        isRevoked: run.isRevoked || run.isSuperseded,
        isPublished: run.publication !== null,
        result: run.result,
        usage: run.usage,
      };
    });
  }

  overRuns(runIds: readonly RunId[]): Promise<RunsOver['over']> {
    return this.#serve(async () => {
      const runs = await Promise.all(runIds.map((runId) => this.#store.get(runId)));
      return runs.flatMap((run) => {
        if (run === null || (run.result === null && !run.isRevoked && !run.isSuperseded)) return [];
        return [{ runId: run.record.runId, why: run.result === null ? 'revoked' : 'result-is-in' }];
      });
    });
  }

  revokeRun(runId: RunId): Promise<void> {
    return this.#serve(() => this.#store.revoke(runId));
  }

  publishRun(runId: RunId, signal: AbortSignal): Promise<Publication> {
    return this.#serve(async () => {
      const run = await this.#store.get(runId);
      if (run === null) throw new TerminalError('run.unknown', 'no such run is known');
      return this.#inTurn(run.record.context.subject.iid, () => this.#publish(runId, signal));
    });
  }

  /** An agent hands in its result. */
  submit(runId: RunId, result: AgentResult['result']): Promise<void> {
    const { process, clock } = this.#parts;
    return this.#serve(async () => {
      process.reach('run.result-storing');
      await this.#store.storeResult(runId, JSON.stringify({ v: 1, result } satisfies AgentResult), clock.nowMs());
      process.reach('run.result-stored');
    });
  }

  async #publish(runId: RunId, signal: AbortSignal): Promise<Publication> {
    const { process, forge } = this.#parts;
    const run = await this.#store.get(runId);
    if (run === null) throw new TerminalError('run.unknown', 'no such run is known');
    if (run.publication !== null) return run.publication;
    const result = reviewOf(run);
    const { subject, diffRefs, launch } = run.record.context;
    const fence = { isChecked: false };
    const assertCurrent = async () => {
      const now = await this.#store.get(runId);
      if (now === null) throw new StaleError('run.unknown', 'the run is not known any more');
      if (now.isSuperseded) throw new StaleError('run.launch_superseded', 'a newer launch of this task has begun');
      fence.isChecked = true;
    };
    await assertCurrent();
    const ports = this.#ports(this.#fencedForge(diffRefs, fence));
    const { mergeRequest } = await ports.forge.readMergeRequest(subject, signal);
    const reviewed = await readReviewed(ports, subject, signal);
    const { diff, lines } = changeAt(diffRefs.headSha);
    const publication = await publishReview(
      ports,
      {
        ...{ mergeRequest: { ...mergeRequest, reviewed }, refs: diffRefs, diff, result, policy, usage: run.usage },
        readLines: (side) => Promise.resolve(side === 'new' ? lines : null),
        attempt: launch,
        assertCurrent,
      },
      signal,
    );
    if (!forge.wasHead(subject, diffRefs.headSha)) this.#parts.onViolation('published what never was a head');
    process.reach('publish.storing');
    await this.#store.storePublication(runId, publication);
    this.#parts.publishedHeads.add(diffRefs.headSha);
    process.reach('publish.stored');
    return publication;
  }

  /** Sees to I3 and I4: nothing is posted without both looks before it. */
  #fencedForge({ headSha }: DiffRefs, fence: { isChecked: boolean }): Forge {
    const forge = this.#forge();
    let seen: string | null = null;
    return {
      ...forge,
      readHead: async (ref, signal) => {
        const head = await forge.readHead(ref, signal);
        seen = head.headSha;
        return head;
      },
      createThread: (ref, thread, signal) => {
        if (!fence.isChecked) this.#parts.onViolation('I4: posted without a look at the launch');
        if (seen !== headSha) this.#parts.onViolation('I3: posted about what was not the head');
        fence.isChecked = false;
        return forge.createThread(ref, thread, signal);
      },
    };
  }

  #forge(): Forge {
    const { process, toForge, forge } = this.#parts;
    const carry: BadNetwork['carry'] = (call, signal) => process.ask(() => toForge.carry(call, signal));
    return forge.reachedOver({ ...toForge, carry });
  }

  #ports(forge: Forge) {
    const { process, markerKeys } = this.#parts;
    return { forge, markerKeys, log: silentLog, clock: process.clock, reach: process.reach };
  }

  async #serve<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const { process } = this.#parts;
    const broken = () => new TransientError('gateway.unreachable', 'the gateway is gone');
    if (process.isDead) throw broken();
    return Promise.race([
      work(),
      process.died.then(() => {
        throw broken();
      }),
    ]);
  }

  /** As the routes do it: one writer at a time for a merge request. */
  #inTurn<Answer>(iid: number, work: () => Promise<Answer>): Promise<Answer> {
    const before = this.#turns.get(iid) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#turns.set(
      iid,
      mine.catch(() => undefined),
    );
    return mine;
  }
}

function reviewOf({ result }: StoredRun): ReviewResult {
  if (result?.kind !== 'review') throw new TerminalError('run.no_result', 'there is no review');
  return result;
}
