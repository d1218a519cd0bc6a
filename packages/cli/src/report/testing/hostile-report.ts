import type { ReviewReport } from '@drydock/core';
import fc from 'fast-check';
import { aReportedFinding, aReviewReport } from './a-review-report.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

const attacks = fc.constantFrom(
  '\u001b[2J\u001b[38;5;200m',
  '\u001b]8;;https://evil.example\u001b\\click\u001b]8;;\u001b\\',
  '\u001b]0;title\u0007',
  '\u001b]52;c;ZXZpbA==\u0007',
  '\u009b31m',
  '\u009d8;;https://evil.example\u009c',
  '\r',
  '\b\b\b',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u{e0041}\u{e0042}',
  '\ud800',
  '\n/merge\n',
  '\n```\n/close\n',
  '<!-- drydock:earlier -->',
  '@all',
  '`',
  '**',
  '](https://evil.example)',
  '\t',
  '|',
);

/** Text as an attacker, or chance, may write it. */
const text = fc
  .array(fc.oneof(attacks, fc.string(), fc.string({ unit: anyCharacter })), { maxLength: 5 })
  .map((parts) => parts.join(''));
const texts = fc.array(text, { maxLength: 4 });
const line = fc.integer({ min: 1, max: 6 });

const finding = fc
  .record({
    identity: fc.string({ unit: fc.constantFrom('0', '5', 'a', 'f'), minLength: 16, maxLength: 64 }),
    path: text.map((path) => `a${path}`),
    side: fc.constantFrom('new', 'old'),
    startLine: line,
    endLine: line,
    severity: fc.constantFrom('low', 'medium', 'high', 'critical'),
    category: fc.constantFrom('correctness', 'security', 'tests'),
    title: text,
    reason: text,
    suggestion: fc.option(texts),
    rule: fc.option(text),
    code: fc.record({ startLine: line, lines: texts }),
    isNew: fc.boolean(),
  })
  .map((facts) => aReportedFinding({ ...facts, endLine: Math.max(facts.startLine, facts.endLine) }));

/** A report with hostile text wherever a report has text. */
export const hostileReport: fc.Arbitrary<ReviewReport> = fc
  .record({
    change: fc.record({
      kind: fc.constantFrom('local', 'merge-request'),
      title: text,
      projectPath: text,
      sourceBranch: text,
      targetBranch: text,
      webUrl: fc.option(
        fc.oneof(
          text,
          text.map((path) => `https://gitlab.example/${path}`),
        ),
      ),
      diffRefs: fc.constant(aReviewReport().change.diffRefs),
    }),
    model: text,
    partial: fc.option(fc.record({ why: text, code: fc.option(text) })),
    overview: text,
    findings: fc.array(finding, { maxLength: 3 }),
    heldBack: fc.dictionary(text, fc.nat(3), { maxKeys: 3 }),
    notRead: fc.array(fc.record({ path: text, why: text }), { maxLength: 3 }),
  })
  .map((facts) => aReviewReport(facts));
