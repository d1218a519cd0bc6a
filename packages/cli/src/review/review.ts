import { tmpdir } from 'node:os';
import { systemClock, type ReviewReport } from '@drydock/core';
import { runReview, type ReviewEnd } from '@drydock/standalone/review';
import type { CliPorts } from '../cli-ports.ts';
import { usageText } from '../progress/progress-words.ts';
import { progressView, type ProgressForm } from '../progress/progress-view.ts';
import { renderReport } from '../report/render-report.ts';
import { count, outcomeOf } from '../report/report-words.ts';
import { lookOf, plainLook } from '../report/text-look.ts';
import { visibleLines } from '../report/visible-text.ts';
import { checkReportFile, writeReport } from '../report/write-report.ts';
import { askToPost } from './ask-to-post.ts';
import { reviewExitCode } from './review-exit.ts';
import { reviewOptions, type ReviewFlags, type ReviewOptions } from './review-options.ts';

/** Runs `drydock review`: shows what happens, writes the report, and sets the exit code. */
export async function review(url: string | undefined, flags: ReviewFlags, ports: CliPorts): Promise<void> {
  const { environment, stderr, signal } = ports;
  const surroundings = { environment, cwd: process.cwd(), tempDir: tmpdir() };
  const options = await reviewOptions(url, flags, surroundings);
  if (flags.output !== undefined) await checkReportFile(flags.output);
  const isColoured = lookOf({ isTerminal: stderr.isTTY, columns: stderr.columns, environment }).isColoured;
  const place = { out: stderr, clock: systemClock, isColoured };
  const view = progressView(progressForm(flags, ports), place);
  const write = async (report: ReviewReport, rootDir: string | null) => {
    view[Symbol.dispose](); // it would write over the report
    await writeTo(report, { rootDir, flags, options }, ports);
  };
  try {
    const end = await runReview(options.settings, {
      clock: systemClock,
      signal,
      onProgress: (progress) => {
        view.show(progress);
      },
      mayPost: options.isPosting
        ? async (report) => {
            await write(report, null);
            return mayPost(report, flags, ports);
          }
        : null,
    });
    view[Symbol.dispose]();
    if (end.kind === 'reviewed' && !options.isPosting) await write(end.report, end.rootDir);
    say(end, options, ports);
    ports.setExitCode(reviewExitCode(end, options.failOn));
  } finally {
    view[Symbol.dispose]();
  }
}

function progressForm({ quiet, jsonProgress }: ReviewFlags, { stderr, environment }: CliPorts): ProgressForm {
  if (jsonProgress === true) return 'json';
  if (quiet === true) return 'none';
  return stderr.isTTY && environment['TERM'] !== 'dumb' && (environment['CI'] ?? '') === '' ? 'live' : 'lines';
}

async function writeTo(
  report: ReviewReport,
  { rootDir, flags, options }: { rootDir: string | null; flags: ReviewFlags; options: ReviewOptions },
  { stdout, environment, version, stderr }: CliPorts,
): Promise<void> {
  const file = flags.output ?? null;
  const { format } = options;
  const look = file === null ? lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment }) : plainLook;
  const text = renderReport(report, { format, look, rootDir, toolVersion: version, repositoryUrl: null });
  // A question follows, and a pager would take it with it.
  const mayPage = flags.pager && format === 'text' && !options.isPosting;
  await writeReport(text, { file, stdout, environment, mayPage });
  if (file !== null && flags.quiet !== true && flags.jsonProgress !== true) {
    stderr.write(`drydock: ${outcomeOf(report)}, ${usageText(report.usage)}; report in ${file}\n`);
  }
}

/** Posting cannot be undone: a person at a terminal is asked, a pipeline has said it with --post. */
async function mayPost(report: ReviewReport, { yes }: ReviewFlags, { stderr, signal }: CliPorts): Promise<boolean> {
  if (yes === true || !process.stdin.isTTY || !stderr.isTTY) return true;
  return askToPost(report, { input: process.stdin, output: stderr }, signal);
}

/** What is said after, or in place of, the report. */
function say(end: ReviewEnd, { isPosting }: ReviewOptions, { stderr }: CliPorts): void {
  const line = (...texts: readonly string[]) => {
    for (const text of texts.flatMap(visibleLines)) stderr.write(`${text}\n`);
  };
  switch (end.kind) {
    case 'reviewed': {
      const { publication } = end;
      if (publication === null) {
        if (isPosting) line('Nothing was posted.');
        return;
      }
      const posted = publication.comments.filter((comment) => comment.isNew).length;
      line(`Posted ${count(posted, 'comment')}: ${publication.summaryUrl ?? end.report.change.webUrl ?? ''}`);
      return;
    }
    case 'nothing':
      line(end.why);
      return;
    case 'refused':
      line(end.why, `What to do: ${end.hint}`);
      return;
    case 'bad-config':
      line(end.why);
      return;
    case 'over-budget':
      line(`Over budget: ${end.why}`, ...(end.usage === null ? [] : [`Used: ${usageText(end.usage)}.`]));
      return;
    case 'failed': {
      const hint = hints[end.code];
      line(`Could not review: ${end.why} (${end.code})`, ...(hint === undefined ? [] : [`What to do: ${hint}`]));
      if (end.usage !== null && end.usage.calls > 0) line(`Used: ${usageText(end.usage)}.`);
      return;
    }
    case 'cancelled':
      line(end.usage === null ? 'Cancelled.' : `Cancelled. It used ${usageText(end.usage)} so far.`);
      return;
  }
}

const hints: Readonly<Record<string, string>> = {
  'model.unauthorized': 'check ANTHROPIC_API_KEY.',
  'model.billing': 'check the credit and the limits of the account behind ANTHROPIC_API_KEY.',
  'model.unreachable': 'check DRYDOCK_MODEL_URL, that the server runs, and proxies.',
  'model.tls': 'check the certificate of the server in DRYDOCK_MODEL_URL; DRYDOCK_CA_FILE names private authorities.',
  'model.not_found': 'check --model: the server does not know a model of that name.',
  'model.bad_answer': 'check DRYDOCK_MODEL_URL: what answers there does not speak Anthropic Messages.',
  'model.rate_limited': 'try again later, or ask for higher limits.',
  'model.overloaded': 'try again later.',
  'model.context_full': 'leave files out with --skip, or take a model with a larger context.',
  'run.timed_out': 'leave files out with --skip, or raise budget.deadlineSeconds in a policy (--policy).',
  'run.crashed': 'run it again; if it crashes again, report it with the line above.',
};
