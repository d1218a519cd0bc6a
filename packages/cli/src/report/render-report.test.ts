import { describe, expect, it } from '@jest/globals';
import { ReviewReport } from '@drydock/core';
import { goldenText } from '@drydock/testkit';
import { renderReport, type ReportOptions } from './render-report.ts';
import { reportFormats } from './report-format.ts';
import { sampleReports } from './testing/sample-reports.ts';
import { plainLook } from './text-look.ts';

const options: Omit<ReportOptions, 'format'> = {
  toolVersion: '1.2.3',
  repositoryUrl: null,
  look: plainLook,
  rootDir: '/home/me/statistics',
};
const extensions = { text: 'txt', json: 'json', sarif: 'sarif', codequality: 'codequality.json', markdown: 'md' };

describe.each(Object.entries(sampleReports))('renderReport of a %s review', (name, report) => {
  it('renders what the schema of a report allows', () => {
    expect(ReviewReport.parse(report)).toEqual(report);
  });

  it.each(reportFormats)('tells it as %s', (format) => {
    const text = renderReport(report, { ...options, format });

    expect(text).toBe(goldenText(import.meta.url, `${name}.${extensions[format]}`, text));
    expect(text.endsWith('\n')).toBe(true);
  });

  it('tells it as text on a terminal of 60 columns', () => {
    const look = { isColoured: true, hasLinks: true, width: 60 };

    const text = renderReport(report, { ...options, format: 'text', look });

    const shown = text.replaceAll('\u001b', '␛').replace(/file:\/\/[^/]*\//g, 'file://host/');
    expect(shown).toBe(goldenText(import.meta.url, `${name}.terminal.txt`, shown));
  });
});
