import { Option, InvalidArgumentError, type Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import { exitCodes } from '../exit-codes.ts';
import { reportFormats } from '../report/report-format.ts';
import { globList } from '../review/glob-list.ts';
import type { ReviewFlags } from '../review/review-options.ts';

const severities = ['low', 'medium', 'high', 'critical'] as const;

const examples = `
Reviews a change without any server: the same agent, the same rules, on this machine. Without options it is the
current branch, against what it follows or else the default branch. Nothing in your repository is changed.

The report goes to standard output, progress to standard error.

Exit codes:
  0   clean, or no finding at the threshold      3   could not review
  1   findings at or over --fail-on              4   the budget was spent before the end
  2   wrong flags or arguments                   78  a setting is wrong or missing
                                                 130 ended by Ctrl-C

Settings: a flag goes over its variable (DRYDOCK_BASE, DRYDOCK_FAIL_ON …), that over .drydock.yaml of the base, that
over the policy. docs/guide/review-command.md tells of all.

Examples:
  drydock review                                    the current branch
  drydock review --worktree                         what is not committed yet
  drydock review --base v1.4 --head v1.5            any range
  drydock review --only 'src/**' --skip '**/*.{snap,svg}'
                                                    of it, some files
  drydock review --model scripted                   how it looks, without a key
  drydock review --fail-on high --max-cost 0.50     for a pipeline
  drydock review --format sarif -o drydock.sarif    for code scanning
  drydock review https://gitlab.example.com/shop/api/-/merge_requests/7
                                                    a merge request, printed
  drydock review --post https://…/merge_requests/7  … and posted, once you agree`;

/** `drydock review`. */
export function addReviewCommand(program: Command, ports: CliPorts): void {
  program
    .command('review')
    .description('Review a change of this repository, or a merge request')
    .argument('[merge-request-url]', 'a merge request; without it a range of the repository in this folder')
    .option('--base <revision>', 'compare with this revision')
    .option('--head <revision>', 'review this revision instead of what is checked out')
    .addOption(new Option('--root', 'review everything that the head contains').conflicts(['base', 'worktree']))
    .addOption(new Option('--staged', 'review what is staged').conflicts(['worktree', 'head']))
    .addOption(
      new Option('--worktree', 'review all uncommitted work, new files included').conflicts(['staged', 'head']),
    )
    .addOption(new Option('--dry-run', 'merge request: print the review, post nothing (default)').conflicts('post'))
    .addOption(new Option('--post', 'merge request: post the review').conflicts('dryRun'))
    .option('--yes', 'post without asking')
    .addOption(new Option('--format <format>', 'form of the report (default: text)').choices(reportFormats))
    .option('-o, --output <file>', 'write the report to a file')
    .addOption(new Option('--fail-on <severity>', 'exit with 1 when a finding is that bad').choices(severities))
    .option('--max-cost <dollars>', 'stop before the review costs more', dollars)
    .option('--model <name>', 'the model that reviews; "scripted": fixed rules, no key')
    .option('--policy <file>', 'a review policy')
    .option('--only <globs>', 'review only these files; commas part globs, and the flag may be repeated', moreGlobs)
    .option('--skip <globs>', 'do not review these files; as --only', moreGlobs)
    .option('--no-cache', 'ask the model anew, and keep nothing')
    .option('--quiet', 'no progress')
    .addOption(new Option('--json-progress', 'progress as JSON lines').conflicts('quiet'))
    .option('--no-pager', 'print a long report at once')
    .addHelpText('after', examples)
    .action(async (url: string | undefined, flags: ReviewFlags) => {
      const problem = contradiction(url, flags);
      if (problem !== null) {
        ports.stderr.write(`error: ${problem}\n(drydock review --help tells more)\n`);
        ports.setExitCode(exitCodes.usage);
        return;
      }
      // Only here: what a review needs is more than --help should load.
      const { review } = await import('../review/review.ts');
      await review(url, flags, ports);
    });
}

function contradiction(url: string | undefined, flags: ReviewFlags): string | null {
  if (url === undefined) {
    const onlyForUrl = (['post', 'yes', 'dryRun'] as const).find((name) => flags[name] === true);
    const name = onlyForUrl === 'dryRun' ? 'dry-run' : onlyForUrl;
    return name === undefined ? null : `--${name} is about a merge request: give its address`;
  }
  if (!/^https?:\/\//.test(url))
    return `${JSON.stringify(url)} is no address of a merge request (a range: --base, --head)`;
  const local = (['base', 'head', 'root', 'staged', 'worktree'] as const).find((name) => flags[name] !== undefined);
  return local === undefined ? null : `--${local} is about this repository, not about a merge request`;
}

function moreGlobs(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...globList(text)];
}

function dollars(text: string): number {
  const amount = Number(text.replace(/^\$/, ''));
  if (!Number.isFinite(amount) || amount <= 0) throw new InvalidArgumentError('An amount of dollars, such as 0.50.');
  return amount;
}
