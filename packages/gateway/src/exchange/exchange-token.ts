/**
 * A pod exchanges its identity for the token of its run: only a pod that shows that it cannot get out, only with a
 * token that the API server knows as that pod's, only once. What it gets is told to nobody else and kept as a hash.
 */
import {
  StaleError,
  TerminalError,
  type Clock,
  type ExchangeRequest,
  type Log,
  type PreflightReport,
  type RunToken,
  type Secret,
} from '@drydock/core';
import type { RunStore } from '../runs/run-store.ts';
import { createRunToken, hashRunToken } from '../runs/run-token.ts';
import { identifyPod, type AgentIdentities } from './identity-reviewer.ts';

/** What became of an exchange, as it is counted. */
export type ExchangeResult = 'exchanged' | 'not-isolated' | 'identity' | 'replayed' | 'stale' | 'failed';

/** What an exchange needs. */
export interface ExchangePorts {
  readonly identities: AgentIdentities;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly randomBytes: (size: number) => Buffer;
  readonly onResult: (result: ExchangeResult) => void;
}

/** Null: no pod may exchange its identity for a token. */
export interface MaybeExchange {
  readonly exchange: ExchangePorts | null;
}

/**
 * Gives a pod the token of its run. Throws `StaleError` when it may not have one (any more), `TerminalError` for a
 * report that is no proof, and `TransientError` when the API server or the store does not answer.
 */
export async function exchangeToken(
  ports: ExchangePorts,
  identity: Secret,
  { runId, preflight }: ExchangeRequest,
  signal: AbortSignal,
): Promise<RunToken> {
  const { identities, store, clock, log, onResult } = ports;
  const refuse = (result: ExchangeResult, reason: string) => {
    onResult(result);
    log.warn({ runId, reason }, 'token exchange refused');
  };
  try {
    const objection = objectionTo(preflight);
    if (objection !== null) {
      refuse('not-isolated', objection);
      throw new TerminalError('request.malformed', `the preflight report is no proof: ${objection}`);
    }
    const pod = await identifyPod(identities, { token: identity, runId }, signal);
    if (pod.kind === 'refused') {
      refuse('identity', pod.why);
      throw new StaleError('run.identity_refused', 'this identity is not that of the pod of the run');
    }
    const token = createRunToken(ports.randomBytes);
    const done = await store.exchange(runId, { podUid: pod.uid, tokenHash: hashRunToken(token) }, clock.nowMs());
    if (done.kind === 'refused') {
      refuse('stale', done.why);
      throw staleError(done.why);
    }
    if (done.kind === 'replayed') {
      onResult('replayed');
      // Who holds a pod's identity beside that pod may hold more of it.
      log.error(
        { runId, podName: pod.name, reason: done.why },
        'token exchange tried again: someone may have stolen it',
      );
      throw new StaleError('run.already_exchanged', 'the token of this run was given to a pod already');
    }
    const deadlineSeconds = await deadlineSecondsOf(store, runId);
    const { rounds, elapsedMs } = preflight;
    onResult('exchanged');
    log.info({ runId, podName: pod.name, count: rounds, durationMs: elapsedMs }, 'token exchanged');
    return { v: 1, token, deadlineSeconds };
  } catch (error) {
    if (!(error instanceof StaleError || error instanceof TerminalError)) onResult('failed');
    throw error;
  }
}

async function deadlineSecondsOf(store: RunStore, runId: string): Promise<number> {
  const run = await store.get(runId);
  if (run === null) throw new StaleError('run.unknown', 'the run is not known any more');
  return run.record.context.policy.budget.deadlineSeconds;
}

/** A pod that has tried nothing, or that got out, has proven nothing. Null: no objection. */
function objectionTo({ probes }: PreflightReport): string | null {
  const hard = probes.filter(({ set }) => set === 'hard');
  if (hard.length === 0) return 'it tried no address that must not answer';
  return hard.some(({ outcome }) => outcome === 'connected') ? 'an address answered that must not' : null;
}

function staleError(why: 'unknown' | 'granted' | 'revoked' | 'superseded' | 'late'): StaleError {
  switch (why) {
    case 'unknown':
    case 'granted':
      return new StaleError('run.unknown', 'no such run waits for its pod');
    case 'revoked':
      return new StaleError('run.revoked', 'this run was ended');
    case 'superseded':
      return new StaleError('run.launch_superseded', 'a newer launch of this task has begun');
    case 'late':
      return new StaleError('run.timed_out', 'the time of this run is over');
  }
}
