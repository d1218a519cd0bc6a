import { describe, expect, it } from '@jest/globals';
import { hasHiddenCharacters } from '@drydock/core';
import { extractByMarkdown, extractByRegExp } from '@drydock/testkit';
import fc from 'fast-check';
import { aReportedFinding, aReviewReport } from './testing/a-review-report.ts';
import { hostileReport } from './testing/hostile-report.ts';
import { renderMarkdown } from './render-markdown.ts';

const maxCharacters = 65_536;
const identity = (index: number) => String(index).padStart(32, '0');

describe('renderMarkdown', () => {
  it('runs no command of a forge, and shows nothing that cannot be seen', () => {
    fc.assert(
      fc.property(hostileReport, (report) => {
        const markdown = renderMarkdown(report);

        expect(extractByMarkdown(markdown).actions).toEqual([]);
        expect(extractByRegExp(markdown).actions).toEqual([]);
        expect(markdown).not.toContain('<!--');
        expect(hasHiddenCharacters(markdown)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('fits into one comment, leaves findings out whole and says how many', () => {
    const findings = Array.from({ length: 200 }, (_, index) =>
      aReportedFinding({ identity: identity(index), title: `Finding number ${index}`, reason: 'because '.repeat(60) }),
    );

    const markdown = renderMarkdown(aReviewReport({ findings }));

    const shown = markdown.match(/^\*\*Medium\*\*/gm) ?? [];
    expect(markdown.length).toBeLessThanOrEqual(maxCharacters);
    expect(markdown.length).toBeGreaterThan(maxCharacters * 0.9);
    expect(markdown).toContain(`The details of ${findings.length - shown.length} findings did not fit here.`);
    expect(markdown.match(/because/g)).toHaveLength(shown.length * 60);
  });

  it('fits into one comment however long every text is', () => {
    const long = '<&@`[|/x '.repeat(20_000);
    const findings = Array.from({ length: 60 }, (_, index) =>
      aReportedFinding({
        identity: identity(index),
        path: long,
        title: long,
        reason: long,
        rule: long,
        code: { startLine: 4, lines: Array.from({ length: 60 }, () => long) },
        suggestion: [long],
      }),
    );
    const notRead = Array.from({ length: 2_000 }, () => ({ path: long, why: long }));
    const heldBack = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`${index}${long}`, 1]));
    const facts = { overview: long, model: long, partial: { why: long, code: null }, notRead, heldBack };

    const markdown = renderMarkdown(aReviewReport({ findings, ...facts }));

    expect(markdown.length).toBeLessThanOrEqual(maxCharacters);
    expect(markdown).toContain('did not fit here');
  });
});
