import { tmpdir } from 'node:os';
import { systemClock, type ReviewReport } from '@drydock/core';
import { runReview, type ReviewEnd } from '@drydock/standalone/review';
import { askYesNo, canAsk } from '../ask-yes-no.ts';
import type { CliPorts } from '../cli-ports.ts';
import { usageText } from '../progress/progress-words.ts';
import { progressView, type ProgressForm } from '../progress/progress-view.ts';
import { renderReport } from '../report/render-report.ts';
import { count, outcomeOf } from '../report/report-words.ts';
import { lookOf, plainLook } from '../report/text-look.ts';
import { checkReportFile, removeReport, writeReport } from '../report/write-report.ts';
import { emptyReport } from './empty-report.ts';
import { reviewExitCode } from './review-exit.ts';
import { reviewOptions, type ReviewFlags, type ReviewOptions } from './review-options.ts';
import { sayEnd } from './say-end.ts';

/** Runs `drydock review`: shows what happens, writes the report, and sets the exit code. */
export async function review(url: string | undefined, flags: ReviewFlags, ports: CliPorts): Promise<void> {
  const { environment, stderr, signal, cwd } = ports;
  const options = await reviewOptions(url, flags, { environment, cwd, tempDir: tmpdir() });
  if (options.file !== null) await checkReportFile(options.file);
  const isColoured = lookOf({ isTerminal: stderr.isTTY, columns: stderr.columns, environment }).isColoured;
  using view = progressView(progressForm(flags, ports), { out: stderr, clock: systemClock, isColoured });
  const write = async (report: ReviewReport, rootDir: string | null) => {
    view[Symbol.dispose](); // it would write over the report
    await writeTo(report, { rootDir, flags, options }, ports);
  };
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
  await tidyReport(end, { flags, options }, ports);
  sayEnd(end, options, stderr);
  ports.setExitCode(reviewExitCode(end, options.failOn));
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
  const { format, file } = options;
  const look = file === null ? lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment }) : plainLook;
  const rendered = renderReport(report, { format, look, rootDir, toolVersion: version, repositoryUrl: null });
  const text = file === null && environment['GITHUB_ACTIONS'] === 'true' ? withoutCommands(rendered) : rendered;
  // A question follows, and a pager would take it with it.
  const mayPage = flags.pager && format === 'text' && !options.isPosting;
  await writeReport(text, { file, stdout, environment, mayPage });
  if (file !== null && flags.quiet !== true && flags.jsonProgress !== true) {
    stderr.write(`drydock: ${outcomeOf(report)}, ${usageText(report.usage)}; report in ${file}\n`);
  }
}

/** A line that begins so is an order to the runner of GitHub, and the names in a report are a stranger's. */
function withoutCommands(text: string): string {
  return text.replace(/^(\s*):(?=:)/gm, '$1: ').replace(/##(?=\[)/g, '# #');
}

/**
 * What a pipeline takes up afterwards tells of this run: an empty report where there was nothing to review, and none
 * where there is no review. An older one must not be taken for it.
 */
async function tidyReport(
  end: ReviewEnd,
  { flags, options }: { readonly flags: ReviewFlags; readonly options: ReviewOptions },
  ports: CliPorts,
): Promise<void> {
  const isForPeople = options.file === null && options.format === 'text';
  if (end.kind === 'nothing' && !isForPeople) {
    await writeTo(emptyReport(end.why, options.settings), { rootDir: null, flags, options }, ports);
  } else if (end.kind !== 'reviewed' && end.kind !== 'nothing' && options.file !== null) {
    await removeReport(options.file);
  }
}

/** Posting cannot be undone: a person at a terminal is asked, a pipeline has said it with --post. */
async function mayPost({ findings, change }: ReviewReport, { yes }: ReviewFlags, ports: CliPorts): Promise<boolean> {
  if (yes === true || !canAsk(ports)) return true;
  const fresh = findings.filter((finding) => finding.isNew).length;
  const where = change.webUrl ?? 'the merge request';
  return askYesNo(`Post ${count(fresh, 'new finding')} and the summary to ${where}?`, ports);
}
