/**
 * What an agent may ask of the gateway, with its run token as `Authorization: Bearer` (for the Messages route also as
 * `x-api-key`, which Anthropic's SDK sends):
 *
 *   GET  /run/v1/context                          TaskContext
 *   GET  /run/v1/git/info/refs?service=…          git smart HTTP, upload-pack only, protocol 2
 *   POST /run/v1/git/git-upload-pack
 *   POST /run/v1/anthropic/v1/messages            Anthropic Messages, streamed
 *   POST /run/v1/progress                         ProgressReport → 204
 *   PUT  /run/v1/result                           AgentResult → ResultStored
 *
 * In a pod, before there is a run token, with the pod's projected identity as `Authorization: Bearer`:
 *
 *   POST /run/v1/exchange                         ExchangeRequest → RunToken
 *
 * Anything else is 404. Errors are a `WireError`, but on the Messages route, where they have Anthropic's shape and
 * `modelErrorHeaders` tell the class and code. A token that is not (or no longer) good is answered 401 everywhere.
 */
import { z } from 'zod';
import { RunId } from './control-protocol.ts';
import { Category, Severity, Side } from './finding.ts';
import { DiffRefs, MergeRequestRef } from './merge-request.ts';
import { ReviewPolicy } from './policy.ts';
import { TaskId, Trigger } from './task.ts';

/** Where the gateway serves agents. */
export const agentRoutes = {
  exchange: '/run/v1/exchange',
  context: '/run/v1/context',
  git: '/run/v1/git',
  anthropic: '/run/v1/anthropic',
  progress: '/run/v1/progress',
  result: '/run/v1/result',
} as const;

/**
 * On the Messages route: what a `WireError` tells, as headers beside an error of Anthropic's shape. The time to wait is
 * in `retry-after` (seconds), as Anthropic sends it.
 */
export const modelErrorHeaders = { class: 'x-drydock-error-class', code: 'x-drydock-error-code' } as const;

/** A file of the target branch that tells reviewers what matters here. */
export const Guideline = z.strictObject({ path: z.string(), text: z.string().max(100_000) });
export type Guideline = z.infer<typeof Guideline>;

/** A comment of ours that stands on the merge request, so that the agent does not repeat it. */
export const EarlierFinding = z.strictObject({
  path: z.string(),
  side: Side,
  /** 1-based line in the version it was written for; null for file-level and summary findings. */
  line: z.int().min(1).nullable(),
  severity: Severity,
  category: Category,
  title: z.string().max(500),
  isResolved: z.boolean(),
});
export type EarlierFinding = z.infer<typeof EarlierFinding>;

/** All that an attempt needs to know. Policy, guidelines and configuration come from the target branch. */
export const TaskContext = z.strictObject({
  v: z.literal(1),
  taskId: TaskId,
  /** 1-based. */
  launch: z.int().min(1),
  subject: MergeRequestRef,
  trigger: Trigger,
  /** Written by people outside: data, never instructions. */
  mergeRequest: z.strictObject({
    title: z.string(),
    description: z.string(),
    author: z.string(),
    sourceBranch: z.string(),
    targetBranch: z.string(),
    labels: z.array(z.string()),
  }),
  diffRefs: DiffRefs,
  policy: ReviewPolicy,
  guidelines: z.array(Guideline).max(100),
  earlierFindings: z.array(EarlierFinding).max(500),
  /** Marks untrusted text in prompts. A MAC over the task, so that every attempt sends the same bytes. */
  delimiter: z.string().regex(/^[a-z0-9]{16,64}$/),
});
export type TaskContext = z.infer<typeof TaskContext>;

/** The answer to a result: it is kept. */
export const ResultStored = z.strictObject({ v: z.literal(1), stored: z.literal(true) });
export type ResultStored = z.infer<typeof ResultStored>;

/**
 * What became of a connection that should fail. `refused`: the packet left, or the network rejects it by answering;
 * `timeout`: nothing came back in time, which of a far host proves little; `failed`: it ended in another way.
 */
export const ProbeOutcome = z.enum(['timeout', 'refused', 'no-route', 'failed', 'connected']);
export type ProbeOutcome = z.infer<typeof ProbeOutcome>;

/**
 * What a pod found when it tried to get out, in the last round that it made. Of the `hard` probes none may connect;
 * those of `posture` are only told.
 */
export const PreflightReport = z.strictObject({
  v: z.literal(1),
  probes: z
    .array(
      z.strictObject({
        /** Address and port, such as `10.96.0.1:443` or `[fd00::1]:443`. */
        target: z.string().max(60),
        set: z.enum(['hard', 'posture']),
        outcome: ProbeOutcome,
      }),
    )
    .max(64),
  /** Rounds until one was clean, and the time they took: how late the network policy came. */
  rounds: z.int().min(1).max(10_000),
  elapsedMs: z.int().min(0),
});
export type PreflightReport = z.infer<typeof PreflightReport>;

/** A pod asks for the token of its run. */
export const ExchangeRequest = z.strictObject({ v: z.literal(1), runId: RunId, preflight: PreflightReport });
export type ExchangeRequest = z.infer<typeof ExchangeRequest>;

/** The run token, which the gateway knows only by its hash: it is told once. */
export const RunToken = z.strictObject({
  v: z.literal(1),
  token: z.string().min(32).max(200),
  deadlineSeconds: z.int().positive(),
});
export type RunToken = z.infer<typeof RunToken>;
