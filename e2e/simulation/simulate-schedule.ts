/**
 * One schedule: some merge requests, pushes to them, webhooks that come twice, late, out of order or not at all, two or
 * three schedulers and a gateway that die at named steps or freeze, and a network that loses every fifth answer after
 * the call was carried out. Then the storm is over, and once nothing moves any more the world is looked at.
 *
 * Scheduler, queue (in memory), run store and publishing are the real code. Only time, chance, forge, agents, HTTP and
 * git are simulated, and the sweep is a plain one. All of it follows from the seed.
 */
import {
  ReviewPolicy,
  Secret,
  StaleError,
  TransientError,
  silentLog,
  taskIdOf,
  type AgentResult,
  type CrashPoint,
  type ErrorCode,
  type RunId,
} from '@drydock/core';
import { MemoryRunStore, markerKeys, readOwnNotes } from '@drydock/gateway';
import { MemoryTaskQueue, type TaskQueue } from '@drydock/queue';
import { createSchedulerMetrics, startScheduler, type Gateway } from '@drydock/scheduler';
import { Registry } from 'prom-client';
import { badNetwork, type BadNetwork } from './bad-network.ts';
import { Chance } from './chance.ts';
import { heldBy, queueHeldBy } from './held-port.ts';
import { MortalProcess } from './mortal-process.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { changeAt } from './simulated-changes.ts';
import { SimulatedForge, type SimulatedMergeRequest } from './simulated-forge.ts';
import { SimulatedGateway } from './simulated-gateway.ts';
import { SimulatedLauncher } from './simulated-launcher.ts';

/** What a schedule came to. */
export interface ScheduleOutcome {
  /** What was not as it must be; empty: all was well. */
  readonly violations: readonly string[];
  readonly deaths: number;
  readonly launches: number;
  readonly dead: number;
}

const keys = markerKeys([new Secret('k'.repeat(32))]);
const metrics = createSchedulerMetrics(new Registry());
const policy = ReviewPolicy.parse({});
const never = new AbortController().signal;
/** Short waits: else most of the work would be done in the calm after the storm. */
const impatient = {
  retry: { maxAttempts: 10, baseMs: 1000, capMs: 8000 },
  infraRetry: { maxAttempts: 100, baseMs: 1000, capMs: 8000 },
};
const sweepEveryMs = 300_000;
const patienceMs = 24 * 3_600_000;

const schedulerPoints: readonly CrashPoint[] = [
  'task.leased',
  'task.observed',
  'task.decided',
  'launch.recorded',
  'launch.granted',
  'launch.announced',
  'launch.started',
  'launch.ended',
  'publish.recorded',
  'publish.answered',
  'ending.told',
  'ending.recording',
  'ending.recorded',
];
const gatewayPoints: readonly CrashPoint[] = [
  'run.recorded',
  'run.result-storing',
  'run.result-stored',
  'publish.begun',
  'publish.posting',
  'publish.posted',
  'publish.tidied',
  'publish.summary-written',
  'publish.storing',
  'publish.stored',
  'state.written',
];

/** Plays the schedule of a seed to its end. */
export async function simulateSchedule(seed: number): Promise<ScheduleOutcome> {
  return new Schedule(seed).play();
}

class Schedule {
  readonly #chance: Chance;
  readonly #clock = new SimulatedClock();
  readonly #forge = new SimulatedForge();
  readonly #queue: TaskQueue;
  readonly #store = new MemoryRunStore();
  readonly #toForge: BadNetwork;
  readonly #toGateway: BadNetwork;
  readonly #toStore: BadNetwork;
  readonly #violations: string[] = [];
  readonly #publishedHeads = new Set<string>();
  readonly #living = new Set<MortalProcess>();
  readonly #isDetached: boolean;
  #gateway: SimulatedGateway | null = null;
  #isStormy = true;
  #agents = 0;
  #deaths = 0;
  #launches = 0;
  #schedulers = 0;
  #dead = 0;
  #isOver = false;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
    this.#queue = new MemoryTaskQueue({ clock: this.#clock, random: this.#chance.next, settings: impatient });
    const network = (broken: ErrorCode, timedOut: ErrorCode, timeoutMs: number) =>
      badNetwork(this.#clock, this.#chance, { broken, timedOut, timeoutMs });
    this.#toForge = network('forge.unavailable', 'forge.timeout', 30_000);
    this.#toGateway = network('gateway.unreachable', 'gateway.timeout', 30_000);
    this.#toStore = network('queue.unreachable', 'queue.unreachable', 1500);
    this.#isDetached = this.#chance.isHit(0.5);
  }

  async play(): Promise<ScheduleOutcome> {
    const chance = this.#chance;
    const stormMs = chance.between(60_000, 300_000);
    for (let iid = chance.isHit(0.3) ? 2 : 1; iid > 0; iid -= 1) void this.#people(this.#forge.open(iid), stormMs);
    this.#startGateway();
    for (let count = chance.between(2, 3); count > 0; count -= 1) this.#startScheduler();
    await this.#clock.pass(stormMs);
    this.#isStormy = false;
    for (const network of [this.#toForge, this.#toGateway, this.#toStore]) network.calm();
    await this.#settle();
    for (const mergeRequest of this.#forge.mergeRequests.values()) await this.#look(mergeRequest);
    for (const process of this.#living) process.die();
    return { violations: this.#violations, deaths: this.#deaths, launches: this.#launches, dead: this.#dead };
  }

  /** Pushes now and then; GitLab tells of it once, twice or never, and in any order. */
  async #people(mergeRequest: SimulatedMergeRequest, stormMs: number): Promise<void> {
    const chance = this.#chance;
    void this.#tell(mergeRequest, 'opened');
    for (let pushes = chance.between(0, 3); pushes > 0; pushes -= 1) {
      await this.#clock.sleep(chance.between(100, stormMs / 3), never);
      this.#forge.push(mergeRequest);
      void this.#tell(mergeRequest, 'pushed');
    }
  }

  async #tell(mergeRequest: SimulatedMergeRequest, trigger: 'opened' | 'pushed'): Promise<void> {
    const chance = this.#chance;
    const headSha = mergeRequest.heads.at(-1) ?? '';
    const isTold = !chance.isHit(0.1);
    for (let times = isTold ? chance.between(1, 2) : 0; times > 0; times -= 1) {
      await this.#clock.sleep(chance.between(0, 20_000), never);
      const key = chance.isHit(0.5) ? headSha : `${headSha}-${String(times)}`;
      await this.#enqueue(mergeRequest, trigger, headSha, key);
    }
  }

  async #enqueue(
    { ref }: SimulatedMergeRequest,
    trigger: 'opened' | 'pushed' | 'swept',
    headSha: string,
    key: string,
  ): Promise<void> {
    try {
      await this.#toStore.carry(
        () =>
          this.#queue.enqueue(
            {
              v: 1,
              kind: 'review',
              subject: ref,
              projectPath: 'shop/orders',
              trigger,
              headSha,
              occurredAtMs: null,
              command: null,
            },
            { deliveryKeys: [key], debounceMs: 500, maxDebounceMs: 2000 },
          ),
        never,
      );
    } catch (error) {
      if (!(error instanceof TransientError)) throw error; // the sweep finds it
    }
  }

  #startGateway(): void {
    const process = this.#mortal(gatewayPoints, 0.6);
    this.#gateway = new SimulatedGateway({
      process,
      clock: this.#clock,
      forge: this.#forge,
      toForge: this.#toForge,
      toStore: this.#toStore,
      store: this.#store,
      markerKeys: keys,
      publishedHeads: this.#publishedHeads,
      onViolation: (what) => this.#violations.push(what),
    });
    void process.died.then(() => this.#startAgain(() => this.#startGateway()));
  }

  #startScheduler(): void {
    const process = this.#mortal(schedulerPoints, 0.7);
    const chance = this.#chance;
    this.#schedulers += 1;
    if (chance.isHit(0.15)) void this.#freezeSometime(process);
    const gateway = heldBy(process, this.#toGateway, this.#front());
    const launcher = new SimulatedLauncher({
      process,
      clock: this.#clock,
      chance,
      toGateway: this.#toGateway,
      headOf: async (runId) => (await this.#store.get(runId))?.record.context.diffRefs.headSha ?? null,
      submit: (runId, result) => this.#submit(runId, result),
      isDetached: this.#isDetached,
      isStormy: () => this.#isStormy,
      onCount: (change) => {
        this.#agents += change;
        if (change === 1) this.#launches += 1;
      },
    });
    const ports = { gateway, launcher, clock: process.clock, log: silentLog, metrics, policy };
    const queue = queueHeldBy(process, this.#toStore, this.#queue);
    const { ended } = startScheduler(
      { ...ports, queue, isProjectAllowed: () => true, random: chance.next, reach: process.reach },
      {
        owner: `scheduler-${String(this.#schedulers)}`,
        maxRunning: 2,
        leaseTtlMs: 15_000,
        pollMs: 5000,
        blockedDelayMs: 60_000,
      },
    );
    ended.catch((error: unknown) => {
      if (!process.isDead) this.#violations.push(`a scheduler ended: ${String(error)}`);
    });
    void process.died.then(() => this.#startAgain(() => this.#startScheduler()));
  }

  /** What schedulers find under the gateway's address: whoever is there now. */
  #front(): Gateway {
    const current = () => {
      if (this.#gateway === null) throw new TransientError('gateway.unreachable', 'nobody is there');
      return this.#gateway;
    };
    return {
      readMergeRequest: async (...args) => current().readMergeRequest(...args),
      readMember: async () => current().readMember(),
      writeState: async (...args) => current().writeState(...args),
      startRun: async (...args) => current().startRun(...args),
      readRun: async (runId) => current().readRun(runId),
      overRuns: async (runIds) => current().overRuns(runIds),
      revokeRun: async (runId) => current().revokeRun(runId),
      publishRun: async (...args) => current().publishRun(...args),
    };
  }

  async #submit(runId: RunId, result: AgentResult['result']): Promise<void> {
    const gateway = this.#gateway;
    if (gateway === null) throw new TransientError('gateway.unreachable', 'nobody is there');
    await gateway.submit(runId, result).catch((error: unknown) => {
      if (!(error instanceof StaleError)) throw error; // an agent that is told so just ends
    });
  }

  #mortal(points: readonly CrashPoint[], share: number): MortalProcess {
    const chance = this.#chance;
    const process = new MortalProcess(this.#clock);
    this.#living.add(process);
    const point = points[chance.between(0, points.length - 1)];
    if (this.#isStormy && point !== undefined && chance.isHit(share)) process.dieAt(point, chance.between(1, 3));
    return process;
  }

  async #freezeSometime(process: MortalProcess): Promise<void> {
    await this.#clock.sleep(this.#chance.between(1000, 60_000), never);
    if (this.#isStormy) process.freeze(this.#chance.between(5000, 60_000));
  }

  async #startAgain(start: () => void): Promise<void> {
    if (this.#hasEnded()) return;
    this.#deaths += 1;
    await this.#clock.sleep(this.#chance.between(0, 20_000), never);
    if (!this.#hasEnded()) start();
  }

  #hasEnded(): boolean {
    return this.#isOver;
  }

  /** A plain sweep goes on until nothing moves. */
  async #settle(): Promise<void> {
    const endMs = this.#clock.nowMs() + patienceMs;
    for (let round = 0; this.#clock.nowMs() < endMs; round += 1) {
      await this.#clock.pass(round === 0 ? 60_000 : sweepEveryMs);
      let isQuiet = this.#agents === 0 && (await this.#queue.stats()).running === 0;
      for (const mergeRequest of this.#forge.mergeRequests.values()) {
        const headSha = mergeRequest.heads.at(-1) ?? '';
        const task = await this.#queue.get(taskIdOf('review', mergeRequest.ref));
        const hasEnded = task !== null && !['waiting', 'leased', 'running', 'publishing'].includes(task.state);
        const summary = await this.#summaryOf(mergeRequest);
        const isTold = summary?.headSha === headSha && (summary.state === 'done' || summary.state === 'failed');
        if (hasEnded && isTold) continue;
        isQuiet = false;
        if (task === null || hasEnded) await this.#enqueue(mergeRequest, 'swept', headSha, `swept-${String(round)}`);
      }
      if (isQuiet) {
        this.#isOver = true;
        return;
      }
    }
    this.#isOver = true;
    this.#violations.push('I1: something never came to its end');
  }

  async #summaryOf({ ref }: SimulatedMergeRequest) {
    const calm: BadNetwork = { carry: (call) => call(), calm: () => undefined };
    const notes = await readOwnNotes({ forge: this.#forge.reachedOver(calm), markerKeys: keys }, ref, never);
    return notes.summaries[0]?.mark ?? null;
  }

  async #look(mergeRequest: SimulatedMergeRequest): Promise<void> {
    const calm: BadNetwork = { carry: (call) => call(), calm: () => undefined };
    const { ref, heads } = mergeRequest;
    const head = heads.at(-1) ?? '';
    const ports = { forge: this.#forge.reachedOver(calm), markerKeys: keys };
    const { threads, summaries } = await readOwnNotes(ports, ref, never);
    const task = await this.#queue.get(taskIdOf('review', ref));
    const says = (what: string) => this.#violations.push(`${what} (merge request ${String(ref.iid)})`);
    if (this.#agents !== 0) says(`I5: ${String(this.#agents)} agents are left`);
    if (summaries.length !== 1) says(`I2: ${String(summaries.length)} summary notes`);
    const identities = threads.map(({ mark }) => mark.identity);
    if (new Set(identities).size !== identities.length) says('I2: a finding stands twice');
    if (task?.state === 'dead') {
      this.#dead += 1;
      const state = String(summaries[0]?.mark.state);
      if (state !== 'failed') says(`I1: dead, and the note says ${state}`);
      return;
    }
    if (summaries[0]?.mark.state !== 'done') says(`I1: ended, and the note says ${String(summaries[0]?.mark.state)}`);
    const open = threads.filter(({ thread }) => !thread.isResolved).map(({ mark }) => mark.title);
    const expected = changeAt(head).findings.map(({ title }) => title);
    if (open.sort().join() !== [...expected].sort().join()) says(`I1: ${open.join()} for ${expected.join()}`);
  }
}
