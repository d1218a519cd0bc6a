import {
  TerminalError,
  showHiddenCharacters,
  verdictOf,
  type ReviewReport,
  type ReviewResult,
  type RunId,
  type Severity,
} from '@drydock/core';
import { judgeReview, readFiles, secretsOf } from '../publish/judge-review.ts';
import { readOwnNotes } from '../publish/own-notes.ts';
import { knowFindings, planThreads } from '../publish/plan-threads.ts';
import { redactSecrets } from '../publish/redact-secrets.ts';
import { reportFinding } from '../publish/report-finding.ts';
import { requireForge } from '../require-forge.ts';
import { openRunChange, type RunChange } from './open-run-change.ts';
import { resultOf, type PublishRunPorts } from './publish-run.ts';
import type { RunStore, StoredRun } from './run-store.ts';

/** What telling a review needs; nothing is written. */
export type ReportRunPorts = Pick<PublishRunPorts, 'forges' | 'mirrors' | 'markerKeys'> & {
  readonly store: Pick<RunStore, 'get'>;
};

/**
 * The review of a run as it would be published now, as data. Throws `TerminalError` (`run.unknown`, `run.no_result`)
 * when there is no review, and what the forge throws.
 */
export async function reportRun(ports: ReportRunPorts, runId: RunId, signal: AbortSignal): Promise<ReviewReport> {
  const run = await ports.store.get(runId);
  if (run === null) throw new TerminalError('run.unknown', 'no such run is known');
  const result = resultOf(run);
  const { subject, diffRefs, policy } = run.record.context;
  const forge = requireForge(ports.forges, subject.forge);
  await using change = await openRunChange(ports, run, signal);
  const [{ mergeRequest }, notes] = await Promise.all([
    forge.readMergeRequest(subject, signal),
    readOwnNotes({ forge, markerKeys: ports.markerKeys }, subject, signal),
  ]);
  const review = { result, policy, diff: change.diff, readLines: change.readLines };
  const linesOf = await readFiles(review, notes);
  const checked = judgeReview(review, notes, linesOf);
  // What has a thread already, by whatever name the file had then.
  const { standing } = planThreads({
    findings: checked.standing,
    known: knowFindings(notes),
    isGone: () => false,
    pathIsGone: (path) => linesOf('new', path) === null,
  });
  const known = new Set(standing.map((entry) => entry.checked.identity));
  const secrets = secretsOf(review);
  const { title, projectPath, sourceBranch, targetBranch, webUrl } = mergeRequest;
  const isLocal = webUrl === '';
  return {
    v: 1,
    change: {
      kind: isLocal ? 'local' : 'merge-request',
      title: showHiddenCharacters(title),
      projectPath,
      sourceBranch,
      targetBranch,
      webUrl: isLocal ? null : webUrl,
      diffRefs,
    },
    model: policy.model,
    partial: result.partial === null ? null : { why: result.partial, code: result.partialCode },
    verdict: verdictOf(checked.severities, policy.blockAt),
    failOn: await failOn(change, run),
    overview: showHiddenCharacters(redactSecrets(result.summary, secrets)),
    findings: checked.standing.map((finding) =>
      reportFinding(finding, linesOf(finding.finding.side, finding.path), {
        secrets,
        isNew: !known.has(finding.identity),
      }),
    ),
    heldBack: { ...checked.heldBack },
    ...coverageOf(result),
    usage: run.usage,
  };
}

async function failOn({ readWishes }: RunChange, { record }: StoredRun): Promise<Severity | null> {
  const wishes = await readWishes();
  return (wishes.kind === 'valid' ? wishes.config.failOn : undefined) ?? record.context.policy.blockAt;
}

function coverageOf({ changedFiles, notRead, turns }: ReviewResult) {
  return { changedFiles, notRead, turns };
}
