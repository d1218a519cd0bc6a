import type { RunId, Secret, TaskId } from '@drydock/core';
import type { PodSettings } from './pod-settings.ts';

/** One run of an agent. */
export interface AgentLaunch {
  readonly runId: RunId;
  /** Absent: of no task of a queue. */
  readonly taskId?: TaskId;
  /** The run token: the agent's only credential. Null: its pod exchanges its identity for one. */
  readonly token: Secret | null;
  readonly deadlineSeconds: number;
  /** What its policy says of its pod; absent: what holds without one. */
  readonly pod?: PodSettings;
  /** Called once it is at work. */
  readonly onBegun?: () => void;
}

/**
 * What the machines did to an agent, as opposed to what it did itself:
 *
 *   oom, disk             it used more than it may
 *   infra                 taken away, refused by its node, lost: no fault of its own
 *   capacity              there was no room for it; it never began
 *   config                it cannot begin until a person mends something
 *   isolation-unenforced  the cluster does not keep pods from the network: nothing may be launched there
 *   stale                 its run is over for the gateway; it did nothing
 */
export type FailureClass = 'oom' | 'disk' | 'infra' | 'capacity' | 'config' | 'isolation-unenforced' | 'stale';

/** How an agent ended. Whether it did its work is not told by this but by the result that the gateway holds. */
export type AgentExit =
  | {
      readonly kind: 'exited';
      readonly code: number | null;
      readonly signal: string | null;
      readonly lastWords: string;
    }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'aborted' }
  /** `reason` is a word of Kubernetes or our own, `message` is for people. */
  | { readonly kind: 'failed'; readonly class: FailureClass; readonly reason: string; readonly message: string }
  /** It goes on without us; only of agents that outlive their scheduler. */
  | { readonly kind: 'left' };

/** The reason of an aborted signal that tells a launcher to leave an agent alone, for another scheduler to go on with. */
export class LeaveAgent extends Error {
  constructor() {
    super('the agent goes on with another scheduler');
    this.name = new.target.name;
  }
}

/**
 * Asked before each write to what other schedulers see: throws why it must not be made, else answers in how many
 * milliseconds it must have been sent.
 */
export type LeftMs = () => number;

/** The port for starting agents: as child processes, or as Kubernetes Jobs. */
export interface Launcher {
  /** How an agent comes by its run token: it is handed over (`grant`), or its pod exchanges its identity for it. */
  readonly credential: 'grant' | 'exchange';
  /** With `exchange`: how long it waits for a pod until its agent works, whatever may hold it up. */
  readonly startSeconds?: number;
  /** Agents go on when their scheduler ends, and another one may adopt them. Else they end with it. */
  readonly outlivesUs: boolean;
  /**
   * Runs an agent until it ended. An aborted signal or the deadline ends it: politely first, by force after a grace time.
   * Nothing of it works any more when this returns, unless it was `left`: an agent that outlives us, when the reason of
   * the signal is `LeaveAgent`. Throws `TransientError` when it could not be started.
   */
  run(launch: AgentLaunch, signal: AbortSignal, leftMs?: LeftMs): Promise<AgentExit>;
  /** As `run`, for a run that an earlier scheduler began. Null: there is nothing of it. */
  adopt(runId: RunId, signal: AbortSignal, leftMs: LeftMs): Promise<AgentExit | null>;
  /** Whether an agent of a run is known to be at work, or about to be, without asking anybody. */
  isAtWork(runId: RunId): boolean;
  /** Removes what a run has left; what still works of it ends. May be repeated. */
  forget(runId: RunId, leftMs: LeftMs): Promise<void>;
}
