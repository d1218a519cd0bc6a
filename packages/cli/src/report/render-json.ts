import type { ReviewReport } from '@drydock/core';
import { jsonText } from './json-text.ts';

/** The report itself, for programs. */
export function renderJson(report: ReviewReport): string {
  return jsonText(report);
}
