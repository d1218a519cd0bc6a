import type { RunId, Secret } from '@drydock/core';

/** One run of an agent. */
export interface AgentLaunch {
  readonly runId: RunId;
  /** The run token: the agent's only credential. Null: its pod exchanges its identity for one. */
  readonly token: Secret | null;
  readonly deadlineSeconds: number;
}

/** How an agent ended. Whether it did its work is not told by this but by the result that the gateway holds. */
export type AgentExit =
  | {
      readonly kind: 'exited';
      readonly code: number | null;
      readonly signal: string | null;
      readonly lastWords: string;
    }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'aborted' };

/** The port for starting agents: as child processes, later as Kubernetes Jobs. */
export interface Launcher {
  /**
   * Runs an agent until it ended, and nothing of it is left when this returns. An aborted signal or the deadline ends
   * the agent: politely first, by force after a grace time. Throws `TransientError` when it could not be started.
   */
  run(launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit>;
}
