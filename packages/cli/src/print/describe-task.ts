import type { TaskAttempt, TaskDetail, TaskEvent } from '@drydock/core';
import { ageText } from './age.ts';
import { cellText } from './cell-text.ts';
import { startTable, type Column, type TableLook } from './table.ts';
import { mergeRequestOf, stateText } from './task-resource.ts';

const labelWidth = 16;

/** All that is known of a task, as text. */
export async function describeTask(
  { task, waiting, attempts, events, nowMs }: TaskDetail,
  isColoured: boolean,
): Promise<string> {
  const facts: readonly (readonly [string, string | null])[] = [
    ['Name', task.taskId],
    ['Merge request', mergeRequestOf(task)],
    ['Forge', `${task.subject.forge}, project ${task.subject.projectId}`],
    ['Kind', task.kind],
    ['State', stateText(task)],
    ['Waits because', waiting === null ? null : waiting.why],
    ['Trigger', task.trigger],
    ['Head', task.headSha],
    ['Queued', when(task.queuedAtMs, nowMs)],
    ['Starts', task.readyAtMs === null ? null : when(task.readyAtMs, nowMs)],
    ['Ended', task.endedAtMs === null ? null : when(task.endedAtMs, nowMs)],
    ['Outcome', outcomeText(task.outcome)],
    ['Last error', task.lastError === null ? null : `${task.lastError.code}: ${task.lastError.message}`],
    ['Faults', `${String(task.failures)} counted`],
  ];
  const lines = facts
    .filter((fact): fact is readonly [string, string] => fact[1] !== null)
    .map(([label, text]) => `${`${label}:`.padEnd(labelWidth)}${cellText(text)}\n`)
    .join('');
  const look: TableLook = { isWide: true, hasHeaders: true, isColoured };
  const tried = await section('Attempts', attemptColumns, attempts, nowMs, look);
  return `${lines}${tried}${await section('Events', eventColumns, events, nowMs, look)}`;
}

async function section<Row>(
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  nowMs: number,
  look: TableLook,
): Promise<string> {
  if (rows.length === 0) return `${`${title}:`.padEnd(labelWidth)}<none>\n`;
  const lines = (await startTable(columns, look).print(rows, nowMs)).trimEnd().split('\n');
  return `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

const attemptColumns: readonly Column<TaskAttempt>[] = [
  { header: 'ATTEMPT', cell: ({ attempt }) => String(attempt) },
  { header: 'AGE', cell: ({ startedAtMs }, nowMs) => ageText(nowMs - startedAtMs) },
  { header: 'TOOK', cell: ({ startedAtMs, endedAtMs }, nowMs) => ageText((endedAtMs ?? nowMs) - startedAtMs) },
  { header: 'ENDING', cell: ({ ending }) => ending ?? 'goes on' },
  { header: 'DETAIL', cell: ({ detail }) => detail },
];

/** Columns of the events of a task. */
export const eventColumns: readonly Column<TaskEvent>[] = [
  { header: 'AGE', cell: ({ atMs }, nowMs) => ageText(nowMs - atMs) },
  { header: 'WHAT', cell: ({ what }) => what, colour: ({ what }) => (what === 'dead' ? 'red' : null) },
  { header: 'WHO', cell: ({ who }) => who },
  { header: 'DETAIL', cell: ({ detail }) => detail },
];

function outcomeText(outcome: TaskDetail['task']['outcome']): string | null {
  if (outcome === null) return null;
  return outcome.kind === 'done' ? 'done' : `${outcome.kind}: ${outcome.why}`;
}

function when(atMs: number, nowMs: number): string {
  const distance = atMs > nowMs ? `in ${ageText(atMs - nowMs)}` : `${ageText(nowMs - atMs)} ago`;
  return `${timeText(atMs)} (${distance})`;
}

/** `2026-11-21T15:00:00Z`; a time that no calendar has, as it came. */
export function timeText(atMs: number): string {
  const time = new Date(atMs);
  return Number.isNaN(time.getTime()) ? String(atMs) : time.toISOString().replace(/\.\d+Z$/, 'Z');
}
