import { describe, expect, it } from '@jest/globals';
import AjvDraft04 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { aReportedFinding, aReviewReport } from './testing/a-review-report.ts';
import { hostileReport } from './testing/hostile-report.ts';
import { renderSarif } from './render-sarif.ts';
import { sampleReports } from './testing/sample-reports.ts';

const options = { toolVersion: '1.2.3', repositoryUrl: null };
// A pattern of the schema is none by the rules of the flag `u`.
const ajv = new AjvDraft04.default({ strict: false, unicodeRegExp: false });
addFormats.default(ajv);
const schema: unknown = JSON.parse(readFileSync(new URL('schemas/sarif-schema-2.1.0.json', import.meta.url), 'utf8'));
const validate = ajv.compile(z.record(z.string(), z.unknown()).parse(schema));

const Log = z.object({
  runs: z.tuple([
    z.object({
      tool: z.object({
        driver: z.object({ rules: z.array(z.object({ id: z.string(), properties: z.looseObject({}) })) }),
      }),
      invocations: z.tuple([
        z.object({ executionSuccessful: z.boolean(), toolExecutionNotifications: z.array(z.looseObject({})) }),
      ]),
      versionControlProvenance: z.array(z.looseObject({})).optional(),
      results: z.array(
        z.object({
          ruleId: z.string(),
          ruleIndex: z.int(),
          message: z.object({ text: z.string().min(1), markdown: z.string().min(1) }),
          locations: z.tuple([
            z.object({
              physicalLocation: z.object({
                artifactLocation: z.object({ uri: z.string() }),
                region: z.looseObject({ startLine: z.int(), endLine: z.int() }).optional(),
              }),
            }),
          ]),
          partialFingerprints: z.record(z.string(), z.string()),
          fixes: z.array(z.unknown()).optional(),
        }),
      ),
    }),
  ]),
});

function logOf(text: string) {
  return Log.parse(JSON.parse(text)).runs[0];
}

/** Why the schema refuses a log; empty: it is valid. */
function faultsOf(text: string): string[] {
  return validate(JSON.parse(text))
    ? []
    : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ''}`);
}

describe('renderSarif', () => {
  it.each(Object.entries(sampleReports))('is valid for a %s review', (_name, report) => {
    expect(faultsOf(renderSarif(report, options))).toEqual([]);
  });

  it('is valid whatever texts are in the report', () => {
    fc.assert(
      fc.property(hostileReport, (report) => {
        expect(faultsOf(renderSarif(report, options))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['a level that is none', (text: string) => text.replace('"level": "error"', '"level": "terrible"')],
    ['a line 0', (text: string) => text.replace('"startLine": 12', '"startLine": 0')],
    ['another version', (text: string) => text.replace('"version": "2.1.0"', '"version": "2.2.0"')],
    ['a property that is unknown', (text: string) => text.replace('"ruleIndex"', '"rule_index"')],
    ['an address with a space', (text: string) => text.replace('a%20folder', 'a folder')],
  ])('would be found invalid with %s', (_name, spoil) => {
    const text = renderSarif(sampleReports.mixed, options);
    const spoilt = spoil(text);

    expect(spoilt).not.toBe(text);
    expect(faultsOf(spoilt)).not.toEqual([]);
  });

  it('gives every result a rule that is there and one physical location', () => {
    const { tool, results } = logOf(renderSarif(sampleReports.mixed, options));

    expect(results).toHaveLength(sampleReports.mixed.findings.length);
    for (const result of results) expect(tool.driver.rules[result.ruleIndex]?.id).toBe(result.ruleId);
  });

  it('rates security rules as GitHub reads them, and no others', () => {
    const scores = { critical: '9.5', high: '8.0', medium: '5.5', low: '2.5' };
    const { rules } = logOf(renderSarif(sampleReports.mixed, options)).tool.driver;

    for (const [severity, score] of Object.entries(scores)) {
      expect(rules.find(({ id }) => id === `drydock/security/${severity}`)?.properties).toMatchObject({
        'security-severity': score,
      });
    }
    expect(rules.filter(({ properties }) => 'security-severity' in properties)).toHaveLength(5);
  });

  it('locates what is about removed lines at the file, with a fingerprint that tells two of them apart', () => {
    const findings = ['a', 'b'].map((digit) => aReportedFinding({ side: 'old', identity: digit.repeat(64) }));

    const { results } = logOf(renderSarif(aReviewReport({ findings }), options));

    expect(results.map((result) => result.locations[0].physicalLocation)).toEqual([
      { artifactLocation: { uri: 'src/average.ts' } },
      { artifactLocation: { uri: 'src/average.ts' } },
    ]);
    expect(results.map((result) => result.partialFingerprints['primaryLocationLineHash'])).toEqual(
      findings.map((finding) => finding.identity),
    );
    expect(results[0]?.message.text).toContain('line 4 before the change');
  });

  it('leaves the hash of a line to who has the file', () => {
    const { results } = logOf(renderSarif(aReviewReport({ findings: [aReportedFinding()] }), options));

    expect(results[0]?.partialFingerprints).toEqual({ 'drydockIdentity/v1': aReportedFinding().identity });
  });

  it('has addresses that decode to the paths', () => {
    const path = 'a b/ü#?%41/[x]:y.ts';

    const { results } = logOf(renderSarif(aReviewReport({ findings: [aReportedFinding({ path })] }), options));

    const uri = results[0]?.locations[0].physicalLocation.artifactLocation.uri ?? '';
    expect(decodeURIComponent(uri)).toBe(path);
    expect(uri).toMatch(/^[\w%./!'()*~-]+$/);
  });

  it('makes no link of what a model wrote', () => {
    const findings = [aReportedFinding({ reason: 'See [here](https://evil.example).' })];

    const { results } = logOf(renderSarif(aReviewReport({ findings }), options));

    expect(results[0]?.message.text).not.toContain('](');
    expect(results[0]?.message.markdown).toContain('`[here](https://evil.example`');
  });

  it('says what a partial review did not see', () => {
    const [invocation] = logOf(renderSarif(sampleReports.partial, options)).invocations;

    expect(invocation.executionSuccessful).toBe(false);
    expect(invocation.toolExecutionNotifications).toHaveLength(3);
  });

  it('names the repository without credentials, if anyone does', () => {
    const withUrl = (repositoryUrl: string | null, report = sampleReports.mixed) =>
      logOf(renderSarif(report, { ...options, repositoryUrl })).versionControlProvenance?.[0]?.['repositoryUri'];

    expect(withUrl('https://user:secret@gitlab.example/a/b.git')).toBe('https://gitlab.example/a/b.git');
    expect(withUrl('/home/me/repository')).toBeUndefined();
    expect(withUrl(null)).toBeUndefined();
    expect(withUrl(null, sampleReports['merge-request'])).toBe('https://gitlab.example/team/statistics');
  });
});
