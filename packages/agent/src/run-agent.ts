import {
  DrydockError,
  StaleError,
  agentRoutes,
  type AgentResult,
  type Clock,
  type Secret,
  type TaskContext,
} from '@drydock/core';
import type { AgentConfig } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import type { Model } from './loop/model.ts';
import { progressLog } from './progress-log.ts';
import { ProgressReporter, type ProgressSink } from './progress-reporter.ts';
import { runReview } from './run-review.ts';
import { Stages } from './stages.ts';

/** The gateway as a run needs it, beside git and the model. */
export interface RunGateway extends ProgressSink {
  readContext(signal: AbortSignal): Promise<TaskContext>;
  submit(result: AgentResult, signal: AbortSignal): Promise<void>;
}

/** What a process gives to its agent. */
export interface AgentParts {
  readonly config: AgentConfig;
  readonly token: Secret;
  readonly gateway: RunGateway;
  readonly clock: Clock;
  readonly random: () => number;
  /** When the process began, of the clock's monotonic time. */
  readonly startedAtMs: number;
  readonly loadModel: (settings: { readonly baseUrl: string; readonly token: Secret }) => Promise<Model>;
  /** Takes a line of the log. */
  readonly write: (line: string) => void;
}

type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One attempt at one task, from its context to its result. Answers with the exit code of the process; throws bugs. */
export async function runAgent(parts: AgentParts, stop: AbortSignal): Promise<ExitCode> {
  const { config, token, clock, gateway } = parts;
  const stale = new AbortController();
  const signal = AbortSignal.any([stop, stale.signal]);
  const progress = new ProgressReporter(gateway, clock, {
    stop: signal,
    onStale: (error) => {
      stale.abort(error);
    },
  });
  const add = progress.add.bind(progress);
  const log = progressLog(add, parts.write);
  const stages = new Stages(clock, add);
  try {
    const result = await runReview(
      {
        ...parts,
        log,
        stages,
        progress,
        readContext: (abort) => gateway.readContext(abort),
        loadModel: () => parts.loadModel({ baseUrl: config.gatewayUrl + agentRoutes.anthropic, token }),
      },
      signal,
    );
    await stages.run('submit', () => gateway.submit({ v: 1, result }, signal));
    return exitCodes.handedIn;
  } catch (error) {
    if (stop.aborted) return exitCodes.stopped;
    if (!(error instanceof DrydockError)) throw error;
    log.error({ code: error.code, err: error }, 'nothing was handed in');
    return error instanceof StaleError ? exitCodes.stale : exitCodes.notHandedIn;
  } finally {
    await progress.close();
  }
}
