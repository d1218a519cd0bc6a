/**
 * `drydock demo`: one merge request from the webhook to the comments, then a second push, and whether all that was
 * expected was seen.
 */
import type { Writable } from 'node:stream';
import { pinoLog, systemClock, type Publication } from '@drydock/core';
import { demoProject } from '@drydock/testkit';
import pc from 'picocolors';
import { pino } from 'pino';
import type { DemoConfig } from './demo-config.ts';
import { demoReport, type DemoReport, type SeenReview } from './demo-report.ts';
import { startDemoStage, type DemoStage } from './demo-stage.ts';
import { findProblems } from './find-problems.ts';
import { formatUsage } from './render-progress.ts';
import { renderReview } from './render-review.ts';
import { watchReview } from './watch-review.ts';

/** Where the demo speaks. */
export interface DemoIo {
  /** The story for people; null: it is not told. */
  readonly story: NodeJS.WriteStream | null;
  /** Warnings and errors of the processes. */
  readonly log: Writable;
  readonly signal: AbortSignal;
}

/** Plays the demo to its end. Rejects when something could not even be started; else see `problems`. */
export async function runDemo(config: DemoConfig, io: DemoIo): Promise<DemoReport> {
  const log = pinoLog(pino({ level: 'warn', base: null }, io.log));
  const say = (text: string) => {
    io.story?.write(`${text}\n`);
  };
  say(pc.bold('\n  Drydock: one merge request, from the webhook to the comments\n'));
  await using stage = await startDemoStage(config, { clock: systemClock, log, searchPath: config.path });
  say(introduction(stage, config));

  say(pc.bold(`  1  Jonas opens a merge request: "${demoProject.mergeRequest.title}"\n`));
  const { iid, taskId, url } = await stage.openMergeRequest();
  await sayDelivery(stage, say);
  const watch = (fromLaunch: number) =>
    watchReview(stage.standalone, { taskId, fromLaunch, signal: io.signal, say }, systemClock);
  const first = await watch(1);
  say(`\n${pc.bold(`  2  What stands on ${url.replace(/^.*\/-\//, '!').replace('!merge_requests/', '!')} now`)}\n`);
  say(await drawReview(stage, first.publication));
  say(summaryLine(first, stage));

  say(pc.bold('\n  3  Jonas pushes again: one bug fixed, another moved to other lines\n'));
  const threadsBefore = stage.gitlab.discussions(iid).length;
  await stage.pushAgain();
  await sayDelivery(stage, say);
  const second = await watch(first.launch + 1);

  const problems = findProblems({ stage, iid, first, second, threadsBefore });
  const report = demoReport(first, second, stage.model, problems);
  say(`\n${changeLines(report, stage, iid)}`);
  say(closing(problems, url));
  return report;
}

function introduction(stage: DemoStage, config: DemoConfig): string {
  const model = stage.model.isPaid
    ? stage.model.name
    : `scripted ${pc.dim('(for a real one set ANTHROPIC_API_KEY or DRYDOCK_MODEL_URL)')}`;
  const queue = config.redisUrl === undefined ? `in memory ${pc.dim('(DRYDOCK_REDIS_URL takes a Redis)')}` : 'Redis';
  return [
    `     GitLab   ${stage.gitlab.url} ${pc.dim('a strict double with a real git repository')}`,
    `     Drydock  ${stage.standalone.serverUrl} ${pc.dim('server, scheduler and gateway; agents are child processes')}`,
    `     Model    ${model}`,
    `     Queue    ${queue}\n`,
  ].join('\n');
}

async function sayDelivery(stage: DemoStage, say: (text: string) => void): Promise<void> {
  await stage.gitlab.deliveriesSettled();
  const delivery = stage.gitlab.deliveries.at(-1);
  say(
    `     ${pc.green('✓')} webhook      ${delivery?.event ?? 'none'}, answered ${String(delivery?.status ?? 'not at all')}`,
  );
}

async function drawReview(stage: DemoStage, publication: Publication): Promise<string> {
  const files = new Map<string, readonly string[] | null>();
  for (const { side, path } of publication.comments) files.set(`${side}:${path}`, await stage.readLines(side, path));
  return renderReview(publication.comments, (side, path) => files.get(`${side}:${path}`) ?? null, pc);
}

function summaryLine({ publication, result }: SeenReview, stage: DemoStage): string {
  const held = Object.values(publication.heldBack).reduce((sum, count) => sum + count, 0);
  const price = stage.model.isPaid ? '' : pc.dim(' (what these tokens would cost; the scripted model is free)');
  return [
    `     ${pc.bold(`${String(publication.comments.length)} findings`)}, ${String(held)} held back, ${String(result.notRead.length)} of ${String(result.changedFiles)} changed files left out`,
    `     ${String(result.turns)} turns, ${formatUsage(publication.usage)}${price}`,
  ].join('\n');
}

function changeLines({ secondPush }: DemoReport, stage: DemoStage, iid: number): string {
  const threads = stage.gitlab.discussions(iid).length;
  return [
    `     ${pc.green('✓')} ${pc.bold(`${String(secondPush.resolved)} thread resolved`)}: its code is gone`,
    `     ${pc.green('✓')} ${pc.bold(`${String(secondPush.repeated)} comments repeated`)}, ${String(secondPush.added)} new; ${String(threads)} threads in all, the moved one among them`,
  ].join('\n');
}

function closing(problems: readonly string[], url: string): string {
  if (problems.length > 0)
    return `\n${pc.red('  Not all that was expected was seen:')}\n${problems.map((problem) => `     - ${problem}`).join('\n')}\n`;
  return [
    pc.bold('\n  Where to look next\n'),
    '     docs/guide/first-review.md    the same against your own GitLab, in ten minutes (make dev)',
    '     docs/guide/policy.md          thresholds, budgets, and what a repository may change',
    `     make demo ARGS=--json         all of this as one JSON object`,
    pc.dim(`\n  ${url} was served by the double and is gone now.\n`),
  ].join('\n');
}
