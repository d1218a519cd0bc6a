import { TransientError, type AgentResult, type Clock, type RunId, type Sha } from '@drydock/core';
import type { AgentExit, AgentLaunch, Launcher } from '@drydock/scheduler';
import type { BadNetwork } from './bad-network.ts';
import type { Chance } from './chance.ts';
import type { MortalProcess } from './mortal-process.ts';
import { resultFor } from './simulated-changes.ts';

/** What simulated agents need of their world. */
export interface SimulatedLauncherParts {
  readonly process: MortalProcess;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly toGateway: BadNetwork;
  readonly headOf: (runId: RunId) => Promise<Sha | null>;
  readonly submit: (runId: RunId, result: AgentResult['result']) => Promise<void>;
  /** Agents live on when their scheduler dies, as in a cluster. */
  readonly isDetached: boolean;
  /** Whether agents fail, too. */
  readonly isStormy: () => boolean;
  readonly onCount: (change: 1 | -1) => void;
}

const exited = (code: number): AgentExit => ({ kind: 'exited', code, signal: null, lastWords: '' });
const overloaded: AgentResult['result'] = {
  kind: 'failed',
  class: 'transient',
  code: 'model.overloaded',
  message: 'The model is overloaded.',
  retryAfterMs: null,
};

/** Agents that take some time and then hand in a review; a few fail, hang, or die without a word. */
export class SimulatedLauncher implements Launcher {
  readonly credential = 'grant';
  readonly outlivesUs = false;
  readonly #parts: SimulatedLauncherParts;

  constructor(parts: SimulatedLauncherParts) {
    this.#parts = parts;
  }

  run({ runId, deadlineSeconds, onBegun }: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    const { process, onCount, isDetached } = this.#parts;
    process.reach('launch.started');
    onBegun?.();
    onCount(1);
    let isCounted = true;
    const uncount = () => {
      if (isCounted) onCount(-1);
      isCounted = false;
    };
    if (!isDetached) void process.died.then(uncount);
    const life = AbortSignal.any([signal]);
    const work = this.#work(runId, deadlineSeconds, life).finally(uncount);
    return process.ask(() => work);
  }

  async adopt(): Promise<null> {
    return null;
  }

  isAtWork(): boolean {
    return false;
  }

  async forget(): Promise<void> {
    return;
  }

  async #work(runId: RunId, deadlineSeconds: number, signal: AbortSignal): Promise<AgentExit> {
    const { chance, isDetached, process, clock, isStormy } = this.#parts;
    const mine = isDetached ? clock : process.clock;
    await mine.sleep(chance.between(1000, 12_000), signal);
    const isAborted = () => signal.aborted;
    if (isAborted()) return { kind: 'aborted' };
    const fate = isStormy() ? chance.next() : 1;
    if (fate < 0.04) return exited(1);
    if (fate < 0.08) {
      await mine.sleep(deadlineSeconds * 1000, signal);
      return isAborted() ? { kind: 'aborted' } : { kind: 'timed-out' };
    }
    const head = await this.#parts.headOf(runId);
    if (head === null) return exited(1);
    return (await this.#handIn(runId, fate < 0.12 ? overloaded : resultFor(head), signal)) ? exited(0) : exited(75);
  }

  async #handIn(runId: RunId, result: AgentResult['result'], signal: AbortSignal): Promise<boolean> {
    const { toGateway, submit, clock, isDetached, process } = this.#parts;
    const isAborted = () => signal.aborted;
    for (let attempt = 1; attempt <= 5 && !isAborted(); attempt += 1) {
      if (!isDetached && process.isDead) return false;
      try {
        await toGateway.carry(() => submit(runId, result), signal);
        return true;
      } catch (error) {
        if (!(error instanceof TransientError) && !isAborted()) throw error;
      }
      await clock.sleep(1000 * attempt, signal);
    }
    return false;
  }
}
