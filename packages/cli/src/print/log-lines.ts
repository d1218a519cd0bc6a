import type { ProgressEntry } from '@drydock/core';
import { cellText } from './cell-text.ts';
import { timeText } from './describe-task.ts';

/** What an agent did, in one line: time and deed. */
export function logLine({ atMs, event }: ProgressEntry): string {
  return `${timeText(atMs)} ${cellText(deedOf(event))}\n`;
}

/** The same for programs: one JSON object a line, as `drydock review --progress json` has them. */
export function logJson({ seq, atMs, event, usage }: ProgressEntry): string {
  const { kind, ...facts } = event;
  const text = JSON.stringify({ v: 1, seq, atMs, kind, ...facts, usage });
  return `${text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function deedOf(event: ProgressEntry['event']): string {
  switch (event.kind) {
    case 'stage-started':
      return `${event.stage} begins`;
    case 'stage-ended':
      return `${event.stage} ended after ${secondsText(event.durationMs)}`;
    case 'turn':
      return `turn ${String(event.turn)}`;
    case 'tool':
      return `${event.tool} ${event.target}${event.isError ? ', which failed' : ''} (${secondsText(event.durationMs)})`;
    case 'finding':
      return `finding, ${event.severity}: ${event.path}:${String(event.line)}`;
    case 'log':
      return event.level === 'info' ? event.text : `${event.level}: ${event.text}`;
  }
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
