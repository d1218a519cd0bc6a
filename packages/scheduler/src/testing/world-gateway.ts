import {
  TransientError,
  noUsage,
  runIdOf,
  type Member,
  type MergeRequest,
  type MergeRequestRef,
  type Publication,
  type ReviewResult,
  type ReviewState,
  type RunGrant,
  type RunRequest,
  type RunView,
  type RunsOver,
  type Sha,
  type StateRequest,
  type StateWritten,
  type TaskRequest,
} from '@drydock/core';
import type { Gateway } from '../gateway.ts';

/** A commit id that shows in a failure which one it was. */
export function sha(letter: string): Sha {
  return letter.repeat(40);
}

/** The merge request of these tests. */
export const subject: MergeRequestRef = { forge: 'gitlab', projectId: '42', iid: 7 };
export const taskId = 'review:gitlab:42:7';

/** It was pushed to head `a`. */
export function anEvent(changes: Partial<TaskRequest> = {}): TaskRequest {
  return {
    v: 1,
    kind: 'review',
    subject,
    projectPath: 'shop/orders',
    trigger: 'pushed',
    headSha: sha('a'),
    occurredAtMs: null,
    command: null,
    ...changes,
  };
}

/** A review without findings. */
export function aResult(headSha: Sha): ReviewResult {
  return {
    kind: 'review',
    headSha,
    partial: null,
    partialCode: null,
    summary: '',
    findings: [],
    changedFiles: 1,
    notRead: [],
    turns: 1,
    stagesMs: {},
  };
}

/** The calls of a gateway. */
export type GatewayCall = keyof Gateway;

/** A gateway with one merge request (whatever is asked for), and a world that tests look at. */
export class WorldGateway implements Gateway {
  headSha = sha('a');
  reviewed: MergeRequest['reviewed'] = null;
  changes: Partial<MergeRequest> = {};
  member: Member = { v: 1, role: 'developer', isSelf: false, isBot: false };
  grant: ((request: RunRequest) => RunGrant) | null = null;
  /** Errors to be thrown, next first, by the name of the call. */
  readonly faults = new Map<GatewayCall, Error[]>();
  /** What happens while a call is on its way; taken away when it is reached. */
  readonly interludes = new Map<GatewayCall, (signal: AbortSignal) => Promise<void>>();
  readonly runs = new Map<string, RunView>();
  /** Which head a run is about. */
  readonly heads = new Map<string, Sha>();
  /** What the summary note told, one after another. */
  readonly states: ReviewState[] = [];
  readonly published: Sha[] = [];
  readonly revoked: string[] = [];
  /** Calls that change something, in their order. */
  readonly writes: GatewayCall[] = [];

  async #enter(call: GatewayCall, signal: AbortSignal): Promise<void> {
    const interlude = this.interludes.get(call);
    this.interludes.delete(call);
    await interlude?.(signal);
    const error = this.faults.get(call)?.shift();
    if (error !== undefined) throw error;
  }

  async readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<MergeRequest> {
    await this.#enter('readMergeRequest', signal);
    return {
      v: 1,
      ref,
      projectPath: 'shop/orders',
      webUrl: 'https://gitlab.example',
      title: '',
      description: '',
      state: 'opened',
      isDraft: false,
      labels: [],
      isReviewRequested: false,
      author: { id: '3', username: 'ada', isBot: false },
      authorRole: null,
      sourceBranch: 'x',
      targetBranch: 'main',
      isFromFork: false,
      headSha: this.headSha,
      diffRefs: { baseSha: sha('c'), startSha: sha('c'), headSha: this.headSha },
      reviewed: this.reviewed,
      ...this.changes,
    };
  }

  async readMember(_ref: MergeRequestRef, _userId: string, signal: AbortSignal): Promise<Member> {
    await this.#enter('readMember', signal);
    return this.member;
  }

  async writeState(_ref: MergeRequestRef, request: StateRequest, signal: AbortSignal): Promise<StateWritten> {
    await this.#enter('writeState', signal);
    this.writes.push('writeState');
    if (!request.createNote && this.states.length === 0) return { v: 1, kind: 'absent' };
    this.states.push(request.state);
    return { v: 1, kind: 'written' };
  }

  async startRun(request: RunRequest, signal: AbortSignal): Promise<RunGrant> {
    await this.#enter('startRun', signal);
    this.writes.push('startRun');
    const granted = this.grant?.(request);
    if (granted !== undefined) return granted;
    return { kind: 'granted', runId: this.record(request), token: 't'.repeat(43), deadlineSeconds: 600 };
  }

  /** A run of its own begins. */
  record(request: RunRequest): string {
    const runId = runIdOf(request.taskId, request.launch);
    this.heads.set(runId, request.diffRefs.headSha);
    this.runs.set(runId, {
      v: 1,
      runId,
      taskId: request.taskId,
      launch: request.launch,
      isRevoked: false,
      isPublished: false,
      result: null,
      usage: { calls: 0, reusedCalls: 0, tokens: noUsage, costUsd: 0 },
    });
    return runId;
  }

  async readRun(runId: string, signal: AbortSignal): Promise<RunView | null> {
    await this.#enter('readRun', signal);
    return this.runs.get(runId) ?? null;
  }

  async overRuns(runIds: readonly string[], signal: AbortSignal): Promise<RunsOver['over']> {
    await this.#enter('overRuns', signal);
    return runIds.flatMap((runId) => {
      const run = this.runs.get(runId);
      if (run === undefined || (run.result === null && !run.isRevoked)) return [];
      return [{ runId, why: run.result === null ? 'revoked' : 'result-is-in' }];
    });
  }

  async revokeRun(runId: string, signal: AbortSignal): Promise<void> {
    await this.#enter('revokeRun', signal);
    this.revoked.push(runId);
    const run = this.runs.get(runId);
    if (run !== undefined) this.runs.set(runId, { ...run, isRevoked: true });
  }

  async publishRun(runId: string, signal: AbortSignal): Promise<Publication> {
    await this.#enter('publishRun', signal);
    this.writes.push('publishRun');
    const run = this.runs.get(runId);
    if (run?.result?.kind !== 'review') throw new TransientError('run.no_result', 'none');
    const { headSha } = run.result;
    this.runs.set(runId, { ...run, isPublished: true });
    this.published.push(headSha);
    this.reviewed = { headSha, baseSha: sha('c'), state: 'done' };
    return {
      v: 1,
      headSha,
      state: 'done',
      verdict: 'clean',
      comments: [],
      resolved: 0,
      heldBack: {},
      usage: run.usage,
      summaryUrl: null,
    };
  }

  /** An agent hands in a review of what it was launched for. */
  submitReview(runId: string): void {
    this.submit(runId, aResult(this.heads.get(runId) ?? this.headSha));
  }

  /** An agent hands in a result, after so many model calls. */
  submit(runId: string, result: RunView['result'], calls = 0): void {
    const run = this.runs.get(runId);
    if (run === undefined) throw new Error(`no run ${runId}`);
    this.runs.set(runId, { ...run, result, usage: { ...run.usage, calls } });
  }
}
