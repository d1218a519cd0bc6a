import type { TaskEvent, TaskRequest } from '@drydock/core';
import type { TaskRecord } from './task-record.ts';

/** How many events a task keeps. */
export const longestHistory = 50;
const longestText = 200;

/** Text for a history: one line, and short. */
export function historyText(text: string): string {
  return text.replaceAll(/[\p{Cc}|]+/gu, ' ').slice(0, longestText);
}

/** A commit as histories show it: they stay small in Redis. */
export function shortHead(headSha: string): string {
  return headSha.slice(0, 12);
}

/** What a history says of an event that came in. */
export function requestText({ trigger, headSha }: TaskRequest): string {
  return headSha === null ? trigger : `${trigger} ${shortHead(headSha)}`;
}

/** The record with one more event, and perhaps one less of the oldest. */
export function withEvent<R extends TaskRecord>(record: R, event: TaskEvent): R {
  return { ...record, events: [...record.events, event].slice(-longestHistory) };
}
