import type { ReviewEnd } from '@drydock/standalone/review';
import { usageText } from '../progress/progress-words.ts';
import { count } from '../report/report-words.ts';
import { visibleLines } from '../report/visible-text.ts';
import type { ReviewOptions } from './review-options.ts';

/** What is said after, or in place of, the report. */
export function sayEnd(
  end: ReviewEnd,
  { isPosting }: Pick<ReviewOptions, 'isPosting'>,
  stderr: Pick<NodeJS.WriteStream, 'write'>,
): void {
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
      // What the publication calls new is new of this head; what was posted just now did not stand there before.
      const posted = end.report.findings.filter((finding) => finding.isNew).length;
      const what =
        posted === 0 ? 'Nothing new to post; the summary is up to date' : `Posted ${count(posted, 'comment')}`;
      line(`${what}: ${publication.summaryUrl ?? end.report.change.webUrl ?? ''}`);
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
  'model.not_found': 'check --model: the server does not know a model of that name, or this key may not use it.',
  'model.bad_answer': 'check DRYDOCK_MODEL_URL: what answers there does not speak Anthropic Messages.',
  'model.rate_limited': 'try again later, or ask for higher limits.',
  'model.overloaded': 'try again later.',
  'model.context_full': 'leave files out with --skip, or take a model with a larger context.',
  'run.timed_out': 'leave files out with --skip, or raise budget.deadlineSeconds in a policy (--policy).',
  'run.crashed': 'run it again; if it crashes again, report it with the line above.',
};
