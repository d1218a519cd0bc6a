import type { ReviewReport } from '@drydock/core';
import { renderCodequality } from './render-codequality.ts';
import { renderJson } from './render-json.ts';
import { renderMarkdown } from './render-markdown.ts';
import { renderSarif, type SarifOptions } from './render-sarif.ts';
import { renderText, type TextOptions } from './render-text.ts';
import type { ReportFormat } from './report-format.ts';

/** What the report itself does not know. */
export interface ReportOptions extends SarifOptions, TextOptions {
  readonly format: ReportFormat;
}

/** The review as text that ends in a line feed. */
export function renderReport(report: ReviewReport, options: ReportOptions): string {
  switch (options.format) {
    case 'text':
      return renderText(report, options);
    case 'json':
      return renderJson(report);
    case 'sarif':
      return renderSarif(report, options);
    case 'codequality':
      return renderCodequality(report);
    case 'markdown':
      return renderMarkdown(report);
  }
}
