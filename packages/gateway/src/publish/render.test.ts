import { describe, expect, it } from '@jest/globals';
import type { Finding } from '@drydock/core';
import { goldenText } from '@drydock/testkit';
import type { CheckedFinding } from './check-findings.ts';
import { renderComment, renderInSummary } from './render-comment.ts';
import { renderReview, renderState, type ReviewFacts } from './render-summary.ts';

const point = (line: number) =>
  ({ kind: 'added', oldLine: null, newLine: line, oldCounter: line, newCounter: line }) as const;
const headSha = 'abcdef0123456789abcdef0123456789abcdef01';

function aChecked(finding: Partial<Finding> = {}, checked: Partial<CheckedFinding> = {}): CheckedFinding {
  const claim: Finding = {
    path: 'src/pay.ts',
    side: 'new',
    startLine: 12,
    endLine: 13,
    severity: 'high',
    category: 'security',
    confidence: 0.85,
    title: 'SQL is put together from `req.query.name`',
    reason:
      'Anyone can end the string and add a statement:\n\n- `name` comes straight from the request\n- nothing escapes it\n\n```sql\nSELECT 1; DROP TABLE users\n```\n**Fix:** use a parameter. See #12 and @root.',
    quotedCode: 'x',
    suggestion: null,
    source: { kind: 'model' },
    ...finding,
  };
  const inline = { kind: 'inline', oldPath: claim.path, newPath: claim.path, side: 'new' } as const;
  return {
    finding: claim,
    identity: '0'.repeat(64),
    path: claim.path,
    codeHash: '0',
    codeLines: 2,
    placement: { ...inline, start: point(12), end: point(13) },
    suggestion: { kind: 'none' },
    ...checked,
  };
}

const suggested = ['const rows = await db.query(', "  'SELECT * FROM users WHERE name = ?', [name]);"];
const file = { kind: 'file', oldPath: 'src/pay.ts', newPath: 'src/pay.ts', why: 'refused-by-forge' } as const;
const comments: readonly (readonly [name: string, checked: CheckedFinding])[] = [
  ['comment.md', aChecked()],
  ['comment-suggestion.md', aChecked({}, { suggestion: { kind: 'offered', lines: suggested } })],
  ['comment-deletion.md', aChecked({ reason: 'It is never read.' }, { suggestion: { kind: 'offered', lines: [] } })],
  ['comment-suggestion-with-fence.md', aChecked({}, { suggestion: { kind: 'offered', lines: ['````', '```', 'a'] } })],
  [
    'comment-rule.md',
    aChecked({ severity: 'low', source: { kind: 'rule', rule: 'no-debug-output' }, reason: 'Left over.' }),
  ],
  [
    'comment-on-file.md',
    aChecked({}, { placement: file, suggestion: { kind: 'left-out', why: 'not-inline', lines: suggested } }),
  ],
  [
    'comment-sensitive-file.md',
    aChecked(
      { path: '.gitlab-ci.yml' },
      { suggestion: { kind: 'left-out', why: 'sensitive-file', lines: ['script: ok'] } },
    ),
  ],
  ['comment-command.md', aChecked({}, { suggestion: { kind: 'left-out', why: 'command', lines: ['/merge'] } })],
];

const facts: ReviewFacts = {
  headSha,
  attempt: 2,
  verdict: 'block',
  rows: [
    {
      severity: 'high',
      where: 'src/pay.ts:12-13',
      title: 'SQL | `a|b`',
      url: 'https://gitlab.example/x#note_1',
      isEarlier: false,
    },
    {
      severity: 'medium',
      where: 'src/a.ts:3',
      title: 'Still there',
      url: 'https://gitlab.example/x#note_2',
      isEarlier: true,
    },
    { severity: 'low', where: 'README.md:1', title: 'Outside', url: null, isEarlier: false },
  ],
  sections: ['**Low** (documentation): Outside (`README.md:1`)\n\nText.'],
  fixed: 1,
  heldBack: { 'not-confirmed': 1, declined: 2 },
  overview: 'Adds payments.\n\nThe change is well tested.',
  partial: 'the token budget was spent',
  changedFiles: 25,
  notRead: Array.from({ length: 22 }, (_, index) => ({ path: `vendor/${index}.js`, why: 'vendored' })),
  turns: 12,
  usage: {
    calls: 12,
    reusedCalls: 0,
    tokens: { input: 12_345, output: 2345, cacheRead: 123_456, cacheWrite: 0 },
    costUsd: 0.1234,
  },
  secrets: [],
};
const clean: ReviewFacts = {
  ...facts,
  attempt: 1,
  verdict: 'clean',
  rows: [],
  sections: [],
  fixed: 0,
  heldBack: {},
  overview: '',
  partial: null,
  notRead: [],
  turns: 1,
  usage: { calls: 0, reusedCalls: 0, tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, costUsd: null },
};

describe('renderComment', () => {
  it.each(comments)('writes %s', (name, checked) => {
    const text = `${renderComment(checked, [])}\n`;

    expect(text).toBe(goldenText(import.meta.url, name, text));
  });
});

describe('renderInSummary', () => {
  it('writes finding-in-summary.md', () => {
    const text = `${renderInSummary(aChecked({ side: 'old' }, { suggestion: { kind: 'offered', lines: suggested } }), [])}\n`;

    expect(text).toBe(goldenText(import.meta.url, 'finding-in-summary.md', text));
  });
});

describe('renderReview', () => {
  it.each([
    ['summary.md', facts],
    ['summary-clean.md', clean],
  ])('writes %s', (name, given) => {
    const text = `${renderReview(given)}\n`;

    expect(text).toBe(goldenText(import.meta.url, name, text));
  });

  it('says what was answered from the store, and only then', () => {
    const tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
    const footer = (calls: number, reusedCalls: number) =>
      renderReview({ ...facts, usage: { calls, reusedCalls, tokens, costUsd: 0 } })
        .split('\n')
        .at(-1);

    expect(footer(1, 9)).toContain(', 9 of 10 model calls answered from the store at no cost. ');
    expect(footer(0, 1)).toContain(', 1 of 1 model call answered from the store at no cost. ');
    expect(footer(10, 0)).not.toContain('store');
  });

  it('stays under what a forge takes, and says what is missing', () => {
    const sections = Array.from({ length: 200 }, () => 'x'.repeat(20_000));

    const text = renderReview({ ...facts, sections });

    expect(text.length).toBeLessThan(300_000);
    expect(text).toContain('190 more texts did not fit here.');
  });
});

describe('renderState', () => {
  it.each([
    ['state-reviewing.md', { kind: 'reviewing', headSha, attempt: 1 }],
    ['state-skipped.md', { kind: 'skipped', headSha: null, why: 'it is a draft' }],
    ['state-failed.md', { kind: 'failed', headSha, why: 'the model answers 529', willRetry: false }],
    ['state-over-budget.md', { kind: 'over-budget', headSha, why: 'the budget of the day (50 USD) is spent' }],
  ] as const)('writes %s', (name, state) => {
    const text = `${renderState(state, renderReview(clean), true)}\n`;

    expect(text).toBe(goldenText(import.meta.url, name, text));
  });
});
