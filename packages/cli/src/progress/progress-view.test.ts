import { describe, expect, it } from '@jest/globals';
import { noUsage, type ProgressEvent } from '@drydock/core';
import type { ReviewProgress } from '@drydock/standalone/review';
import { ManualClock } from '@drydock/testkit';
import { captureOutput } from '../testing/captured-output.ts';
import { progressView, type ProgressForm } from './progress-view.ts';

const usage = { calls: 2, reusedCalls: 0, tokens: { ...noUsage, input: 12_000, output: 345 }, costUsd: 0.0274 };
let seq = 0;
const agent = (event: ProgressEvent): ReviewProgress => {
  seq += 1;
  return { kind: 'agent', entry: { seq, atMs: 1_700_000_000_000, event, usage } };
};
const course: readonly ReviewProgress[] = [
  { kind: 'change', told: 'feature: 3 commits since main (a1b2c3d)\u001b[31m' },
  agent({ kind: 'stage-started', stage: 'review' }),
  agent({ kind: 'turn', turn: 1 }),
  agent({ kind: 'tool', tool: 'read_file', target: 'src/a.ts', isError: false, durationMs: 3 }),
  agent({ kind: 'finding', severity: 'high', path: 'src/a.ts', line: 3 }),
  { kind: 'note', level: 'warn', text: 'model call will be repeated (model.overloaded)' },
  agent({ kind: 'log', level: 'warn', text: 'odd' }),
  agent({ kind: 'stage-ended', stage: 'review', durationMs: 72_400 }),
];

/** What a view writes; `columns` as of a terminal. */
function shown(form: ProgressForm, columns = 60): string {
  const out = captureOutput(columns);
  const view = progressView(form, { out: out.stream, clock: new ManualClock(), isColoured: false });
  for (const progress of course) view.show(progress);
  view[Symbol.dispose]();
  view.show({ kind: 'note', level: 'error', text: 'too late' });
  view[Symbol.dispose]();
  return out.text();
}

describe('progressView', () => {
  it('writes a line for each stage where nothing can be overwritten', () => {
    expect(shown('lines').split('\n').slice(0, 4)).toEqual([
      'drydock: feature: 3 commits since main (a1b2c3d)‹U+001B›[31m',
      'drydock: note: model call will be repeated (model.overloaded)',
      'drydock: note: odd',
      'drydock: reviewing: 72 s, 1 turn, 1 finding before checking, 12,345 tokens, $0.0274',
    ]);
  });

  it('keeps one line at the foot of a terminal, within its width, and takes it away', () => {
    const written = shown('live');

    const drawn = written.split('\r\u001b[2K');
    expect(drawn).toContain('feature: 3 commits since main (a1b2c3d)‹U+001B›[31m\n');
    expect(drawn.filter((line) => line.includes('turn 1'))).not.toEqual([]);
    expect(drawn.every((line) => line.trimEnd().length < 60 || line.endsWith('\n'))).toBe(true);
    expect(written.endsWith('\r\u001b[2K')).toBe(true);
    expect(written).not.toContain('too late');
  });

  it('writes an object a line for programs', () => {
    const objects = shown('json')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));

    expect(objects.slice(0, 3)).toEqual([
      { v: 1, atMs: expect.any(Number), kind: 'change', told: 'feature: 3 commits since main (a1b2c3d)\u001b[31m' },
      { v: 1, atMs: 1_700_000_000_000, kind: 'stage-started', stage: 'review', usage },
      { v: 1, atMs: 1_700_000_000_000, kind: 'turn', turn: 1, usage },
    ]);
  });

  it('is silent when that is wanted', () => {
    expect(shown('none')).toBe('');
  });
});
