import { describe, expect, it } from '@jest/globals';
import { hasHiddenCharacters } from '@drydock/core';
import fc from 'fast-check';
import stringWidth from 'string-width';
import { aReportedFinding, aReviewReport } from './testing/a-review-report.ts';
import { hostileReport } from './testing/hostile-report.ts';
import { renderText } from './render-text.ts';
import { plainLook } from './text-look.ts';

const rootDir = '/home/me/my project';
const terminal = { isColoured: true, hasLinks: true, width: 80 };

/** The colours that we use, and no others; links to our own two kinds of places. */
const ours = /\u001b\[(?:1|2|4|22|24|3[1-6]|39)m|\u001b\]8;;(?:file:\/\/|https?:\/\/)?[!-~]*\u001b\\/g;

describe('renderText', () => {
  it('lets no control and no invisible character of a stranger through to a terminal', () => {
    fc.assert(
      fc.property(hostileReport, (report) => {
        const text = renderText(report, { look: terminal, rootDir });

        expect(hasHiddenCharacters(text.replace(ours, ''))).toBe(false);
        expect(text).not.toContain('\t');
        expect(text).not.toContain('\u001b]8;;https://evil');
      }),
      { numRuns: 500 },
    );
  });

  it('has no escape sequence at all where there are no looks', () => {
    fc.assert(
      fc.property(hostileReport, (report) => {
        expect(hasHiddenCharacters(renderText(report, { look: plainLook, rootDir }))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('does not let code lines, however they are, end before their line', () => {
    const findings = [aReportedFinding({ code: { startLine: 4, lines: ['a\nHIGH forged.ts:1\u001b[2J\tb\r'] } })];

    const text = renderText(aReviewReport({ findings }), { look: plainLook, rootDir: null });

    expect(text).toContain('> 4 │ a‹U+000A›HIGH forged.ts:1‹U+001B›[2J');
  });

  it('wraps what is said at the width, counting wide characters and combining marks', () => {
    const reason = `${'名前の計算'.repeat(30)} ${'e\u0301a\u0308'.repeat(50)} ${'word '.repeat(60)}`;
    const findings = [
      aReportedFinding({ title: '題名'.repeat(40), reason, code: { startLine: 4, lines: ['漢'.repeat(90)] } }),
    ];

    for (const width of [40, 61, 80]) {
      const look = { ...plainLook, width };
      const lines = renderText(aReviewReport({ findings }), { look, rootDir: null }).split('\n');
      const body = lines.slice(3, -4); // from the title to the end of the comment

      expect(Math.max(...body.map((line) => stringWidth(line)))).toBeLessThanOrEqual(width);
      expect(lines.join('')).toContain('…');
    }
  });

  it('links to the file, or to the merge request', () => {
    const findings = [aReportedFinding({ path: 'a b/ü#.ts' })];
    const { change } = aReviewReport();
    const webUrl = 'https://gitlab.example/a/-/merge_requests/7';

    const local = renderText(aReviewReport({ findings }), { look: terminal, rootDir });
    const remote = renderText(aReviewReport({ findings, change: { ...change, webUrl } }), { look: terminal, rootDir });

    expect(local).toMatch(/\]8;;file:\/\/[^/]+\/home\/me\/my%20project\/a%20b\/%C3%BC%23\.ts\u001b\\/);
    expect(remote).toContain(`\u001b]8;;${webUrl}\u001b\\`);
  });

  it('links to nothing that is no address of the web, and to no file that may be gone', () => {
    const { change } = aReviewReport();
    const findings = [aReportedFinding({ side: 'old' })];

    for (const webUrl of ['javascript:alert(1)', 'file:///etc/passwd', 'no url', null]) {
      const report = aReviewReport({ findings, change: { ...change, webUrl } });

      expect(renderText(report, { look: terminal, rootDir })).not.toContain(']8;;');
    }
  });

  it('never makes up a cost', () => {
    const { usage } = aReviewReport();

    const unknown = renderText(aReviewReport({ usage: { ...usage, costUsd: null } }), {
      look: plainLook,
      rootDir: null,
    });

    expect(unknown).toContain('unknown cost');
    expect(unknown).not.toContain('$');
  });

  it('says in two lines that there is nothing to say', () => {
    const text = renderText(aReviewReport(), { look: plainLook, rootDir: null });

    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('does not measure a minified line to its end', () => {
    const findings = [aReportedFinding({ code: { startLine: 4, lines: ['x'.repeat(2_000_000)] } })];

    const text = renderText(aReviewReport({ findings }), { look: terminal, rootDir: null });

    expect(text.length).toBeLessThan(2_000);
  });
});
