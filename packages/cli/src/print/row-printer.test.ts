import { describe, expect, it } from '@jest/globals';
import type { Pause, ProgressEntry, ProjectSummary, TaskDetail, TaskSummary } from '@drydock/core';
import { goldenText } from '@drydock/testkit';
import { parse } from 'yaml';
import { aDeadLetter, aTask, nowMs } from '../client/testing/fake-control-api.ts';
import { describeTask } from './describe-task.ts';
import { logJson, logLine } from './log-lines.ts';
import { outputFormats, type OutputFormat } from './output-format.ts';
import { sortRows, type Resource } from './resource.ts';
import { startPrinter } from './row-printer.ts';
import { deadLetterResource, pauseResource, projectResource, taskResource } from './task-resource.ts';

const hostile = '\u001b[2J\u202e\u0007evil\n漢字';
const tasks: readonly TaskSummary[] = [
  aTask(7, { state: 'running', attempt: 1, readyAtMs: null, isDirty: true, queuedAtMs: nowMs - 90_000 }),
  aDeadLetter(12),
  aTask(1234, {
    projectPath: `shop/${hostile}`,
    state: 'skipped',
    readyAtMs: null,
    headSha: null,
    outcome: { kind: 'skipped', why: hostile },
    endedAtMs: nowMs - 400_000_000,
    queuedAtMs: nowMs - 400_060_000,
  }),
];
const projects: readonly ProjectSummary[] = [
  {
    forge: 'gitlab',
    projectId: '42',
    projectPath: 'shop/api',
    waiting: 12,
    running: 2,
    isPaused: false,
    weight: 1,
    maxRunning: null,
  },
  {
    forge: 'gitlab',
    projectId: '43',
    projectPath: hostile,
    waiting: 0,
    running: 0,
    isPaused: true,
    weight: 10,
    maxRunning: 3,
  },
];
const pauses: readonly Pause[] = [
  { scope: { kind: 'all' }, by: 'ann', why: hostile, atMs: nowMs - 12_000 },
  { scope: { kind: 'project', forge: 'gitlab', projectId: '42' }, by: 'ben', why: 'import', atMs: nowMs - 12_000_000 },
];

interface Printed {
  readonly format: OutputFormat;
  readonly hasHeaders?: boolean;
  readonly isColoured?: boolean;
  readonly isSingle?: boolean;
}

async function print<Row>(resource: Resource<Row>, pages: readonly (readonly Row[])[], settings: Printed) {
  const printer = await startPrinter(resource, {
    hasHeaders: true,
    isColoured: false,
    isSingle: false,
    isStream: false,
    ...settings,
  });
  let text = '';
  for (const rows of pages) text += await printer.rows(rows, nowMs);
  return text + printer.end();
}

function expectGolden(name: string, text: string): void {
  expect(text).toBe(goldenText(import.meta.url, name, text));
}

/** No control but line ends and, where colours are wanted, colours; no direction marks. */
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

describe('startPrinter', () => {
  it.each(outputFormats)('prints each kind of thing as %s, safe for a terminal', async (format) => {
    const texts = [
      await print(taskResource, [tasks], { format }),
      await print(deadLetterResource, [tasks.slice(1, 2)], { format }),
      await print(projectResource, [projects], { format }),
      await print(pauseResource, [pauses], { format }),
    ];

    expectGolden(`lists.${format}.txt`, texts.join('\n'));
    for (const text of texts) expect(text).not.toMatch(obeyed);
  });

  it('paints states on a terminal and nothing else', async () => {
    const text = await print(taskResource, [tasks], { format: 'table', isColoured: true });

    expectGolden('tasks.coloured.txt', text);

    const plain = text.replaceAll(/\u001b\[\d+m/g, '');
    expect(plain).toBe(await print(taskResource, [tasks], { format: 'table' }));
  });

  it('gives the same list whether it comes in one page or many, with no line of headers if none is wanted', async () => {
    for (const format of ['json', 'yaml', 'name'] as const) {
      const whole = await print(taskResource, [tasks], { format });
      expect(await print(taskResource, [[], tasks.slice(0, 1), [], tasks.slice(1)], { format })).toBe(whole);
    }
    const bare = await print(taskResource, [tasks], { format: 'table', hasHeaders: false });
    expect(bare.split('\n')).toHaveLength(tasks.length + 1);
  });

  it('keeps every value in JSON and YAML, also of hostile texts and of empty lists', async () => {
    for (const rows of [[], tasks]) {
      const wanted = { v: 1, tasks: rows };
      expect(JSON.parse(await print(taskResource, [rows], { format: 'json' }))).toEqual(wanted);
      expect(parse(await print(taskResource, [rows], { format: 'yaml' }))).toEqual(wanted);
    }
    const single = await print(taskResource, [tasks.slice(2)], { format: 'json', isSingle: true });
    expect(JSON.parse(single)).toEqual(tasks[2]);
  });

  it('widens columns and never narrows them', async () => {
    const [one] = tasks;
    if (one === undefined) throw new Error('no task');
    const text = await print(taskResource, [[one], [{ ...one, taskId: 'review:gitlab:4200000:7' }], [one]], {
      format: 'table',
    });

    const starts = text
      .trimEnd()
      .split('\n')
      .map((line) => line.indexOf('shop/api'));
    expect(starts.slice(2)).toEqual([starts[2], starts[2]]);
  });
});

describe('sortRows', () => {
  it('sorts by a key, or from its end', () => {
    const iids = (key: string) => sortRows(taskResource, key, tasks)?.map(({ subject }) => subject.iid);

    expect(iids('age')).toEqual([7, 12, 1234]);
    expect(iids('-age')).toEqual([1234, 12, 7]);
    expect(iids('attempts')).toEqual([1234, 7, 12]);
    expect(iids('constructor')).toBeUndefined();
  });
});

describe('describeTask', () => {
  it('tells all that is known, safe for a terminal', async () => {
    const [running, dead, skipped] = tasks;
    if (running === undefined || dead === undefined || skipped === undefined) throw new Error('no tasks');
    const attempts = [
      { attempt: 1, startedAtMs: nowMs - 80_000, endedAtMs: nowMs - 40_000, ending: 'retrying', detail: hostile },
      { attempt: 2, startedAtMs: nowMs - 30_000, endedAtMs: null, ending: null, detail: '' },
    ];
    const events = [{ atMs: nowMs - 90_000, who: hostile, what: 'queued' as const, detail: 'pushed' }];
    const details: readonly TaskDetail[] = [
      { v: 1, nowMs, task: running, waiting: null, attempts, events },
      { v: 1, nowMs, task: dead, waiting: null, attempts: [], events: [] },
      { v: 1, nowMs, task: skipped, waiting: null, attempts: [], events },
      { v: 1, nowMs, task: aTask(9), waiting: { kind: 'turn', why: hostile }, attempts: [], events: [] },
    ];

    const texts = await Promise.all(details.map((detail) => describeTask(detail, false)));

    expectGolden('described.txt', texts.join('\n'));
    expect(texts.join('')).not.toMatch(obeyed);
  });
});

describe('logLine', () => {
  const usage = {
    tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
    costUsd: null,
    calls: 0,
    reusedCalls: 0,
  };
  const deeds: readonly ProgressEntry['event'][] = [
    { kind: 'stage-started', stage: 'review' },
    { kind: 'turn', turn: 1 },
    { kind: 'tool', tool: 'read_file', target: hostile, isError: true, durationMs: 12 },
    { kind: 'finding', severity: 'high', path: 'src/mean.js', line: 3 },
    { kind: 'log', level: 'warn', text: hostile },
    { kind: 'log', level: 'info', text: 'done' },
    { kind: 'stage-ended', stage: 'review', durationMs: 61_000 },
  ];
  const entries = deeds.map((event, index) => ({ seq: index + 1, atMs: nowMs + index * 1000, event, usage }));

  it('tells each deed in a line, safe for a terminal', () => {
    const text = entries.map((entry) => logLine(entry)).join('');

    expectGolden('log.txt', text);
    expect(text).not.toMatch(obeyed);
  });

  it('tells it as JSON lines with the same values', () => {
    const text = entries.map((entry) => logJson(entry)).join('');

    expect(text).toMatch(/^[\n -~]*$/);
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line))[2],
    ).toMatchObject({ seq: 3, kind: 'tool', target: hostile });
  });
});
