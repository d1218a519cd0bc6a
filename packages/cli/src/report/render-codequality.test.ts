import { describe, expect, it } from '@jest/globals';
import Ajv from 'ajv';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { aReportedFinding, aReviewReport } from './testing/a-review-report.ts';
import { hostileReport } from './testing/hostile-report.ts';
import { renderCodequality } from './render-codequality.ts';
import { sampleReports } from './testing/sample-reports.ts';

const schema: unknown = JSON.parse(readFileSync(new URL('schemas/codequality.schema.json', import.meta.url), 'utf8'));
const validate = new Ajv.default({ strict: false }).compile(z.record(z.string(), z.unknown()).parse(schema));

const Entries = z.array(z.looseObject({ fingerprint: z.string(), location: z.looseObject({ lines: z.unknown() }) }));

function faultsOf(text: string): string[] {
  return validate(JSON.parse(text))
    ? []
    : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ''}`);
}

describe('renderCodequality', () => {
  it.each(Object.entries(sampleReports))('is valid for a %s review', (_name, report) => {
    expect(faultsOf(renderCodequality(report))).toEqual([]);
  });

  it('is valid whatever texts are in the report', () => {
    fc.assert(
      fc.property(hostileReport, (report) => {
        expect(faultsOf(renderCodequality(report))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['a severity that is none', (text: string) => text.replace('"blocker"', '"high"')],
    ['a line 0', (text: string) => text.replace('"begin": 12', '"begin": 0')],
    ['no fingerprint', (text: string) => text.replaceAll('"fingerprint"', '"print"')],
    ['no name of a check', (text: string) => text.replaceAll('"check_name"', '"check"')],
    ['an absolute path', (text: string) => text.replace('"src/', '"/src/')],
    ['no array', (text: string) => `{ "findings": ${text} }`],
  ])('would be found invalid with %s', (_name, spoil) => {
    const text = renderCodequality(sampleReports.mixed);
    const spoilt = spoil(text);

    expect(spoilt).not.toBe(text);
    expect(faultsOf(spoilt)).not.toEqual([]);
  });

  it('gives no two entries one fingerprint', () => {
    const findings = [aReportedFinding(), aReportedFinding(), aReportedFinding({ identity: 'f'.repeat(32) })];

    const entries = Entries.parse(JSON.parse(renderCodequality(aReviewReport({ findings }))));

    expect(new Set(entries.map((entry) => entry.fingerprint)).size).toBe(3);
  });

  it('puts what is about removed lines on the first line', () => {
    const findings = [aReportedFinding({ side: 'old', startLine: 4, endLine: 5 })];

    const text = renderCodequality(aReviewReport({ findings }));

    expect(Entries.parse(JSON.parse(text))[0]?.location.lines).toEqual({ begin: 1, end: 1 });
    expect(text).toContain('(lines 4-5 before the change)');
  });

  it('is an empty list for a clean review', () => {
    expect(renderCodequality(aReviewReport())).toBe('[]\n');
  });
});
