import { describe, expect, it } from '@jest/globals';
import { ProgressReport, StaleError, TransientError, type ProgressEvent } from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import { progressLog } from './progress-log.ts';
import { ProgressReporter } from './progress-reporter.ts';

const turn = (number: number): ProgressEvent => ({ kind: 'turn', turn: number });

function aReporter(answer: (report: ProgressReport) => void = () => undefined) {
  const clock = new ManualClock();
  const reports: ProgressReport[] = [];
  const stale: StaleError[] = [];
  const stop = new AbortController();
  const sink = {
    report: async (report: ProgressReport) => {
      reports.push(ProgressReport.parse(report));
      answer(report);
    },
  };
  const onStale = (error: StaleError) => stale.push(error);
  const reporter = new ProgressReporter(sink, clock, { stop: stop.signal, onStale });
  return { clock, reports, stale, reporter };
}

describe('ProgressReporter', () => {
  it('gathers for a moment and sends in order', async () => {
    const { clock, reports, reporter } = aReporter();

    for (const number of [1, 2, 3]) reporter.add(turn(number));
    await clock.advance(249);
    expect(reports).toEqual([]);
    await clock.advance(1);
    reporter.add(turn(4));
    await clock.advance(250);
    await reporter.close();

    expect(reports.map((report) => report.events)).toEqual([[turn(1), turn(2), turn(3)], [turn(4)]]);
  });

  it('sends what is left when it is closed', async () => {
    const { reports, reporter } = aReporter();
    for (let number = 1; number <= 450; number += 1) reporter.add(turn(number));

    await reporter.close();

    expect(reports.map((report) => report.events.length)).toEqual([200, 200, 50]);
    expect(reports.flatMap((report) => report.events)).toEqual(Array.from({ length: 450 }, (_, at) => turn(at + 1)));
  });

  it('goes on after a report that was lost', async () => {
    let count = 0;
    const { clock, reports, reporter } = aReporter(() => {
      count += 1;
      if (count === 1) throw new TransientError('gateway.unreachable', 'gone');
    });

    reporter.add(turn(1));
    await clock.advance(1000);
    reporter.add(turn(2));
    await clock.advance(1000);
    await reporter.close();

    expect(reports).toHaveLength(2);
  });

  it('tells when the run is stale', async () => {
    const error = new StaleError('run.revoked', 'revoked');
    const { clock, stale, reporter } = aReporter(() => {
      throw error;
    });

    reporter.add(turn(1));
    await clock.advance(1000);
    await reporter.close();

    expect(stale).toEqual([error]);
  });

  it('holds no more than it may when nothing can be sent', async () => {
    const { reports, reporter } = aReporter();
    for (let number = 1; number <= 5000; number += 1) reporter.add(turn(number));

    await reporter.close();

    expect(reports.flatMap((report) => report.events)).toHaveLength(2000);
  });
});

describe('progressLog', () => {
  it('says what happened without the words of foreign errors', () => {
    const events: ProgressEvent[] = [];
    const lines: string[] = [];
    const log = progressLog(
      (event) => events.push(event),
      (line) => lines.push(line),
    );

    log.warn({ code: 'git.failed', err: new TransientError('git.failed', 'git ended') }, 'it went wrong');
    log.info({ err: new Error('password=hunter2') }, 'it went on');
    log.debug({}, 'unseen');

    expect(events).toEqual([
      { kind: 'log', level: 'warn', text: 'it went wrong code=git.failed err=TransientError git.failed: git ended' },
      { kind: 'log', level: 'info', text: 'it went on err=Error' },
    ]);
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { level: 'warn' },
      { level: 'info', err: 'Error' },
    ]);
  });
});
