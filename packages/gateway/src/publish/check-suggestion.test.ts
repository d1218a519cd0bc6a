import { describe, expect, it } from '@jest/globals';
import type { Finding, Placement } from '@drydock/core';
import { checkSuggestion } from './check-suggestion.ts';

const point = { kind: 'added', oldLine: null, newLine: 2, oldCounter: 2, newCounter: 2 } as const;
const inline: Placement = { kind: 'inline', oldPath: 'a.ts', newPath: 'a.ts', side: 'new', start: point, end: point };
const lines = ['one', 'two', 'three'];

function check(finding: Partial<Finding>, given: { placement?: Placement; lines?: string[]; isWanted?: boolean } = {}) {
  const claim: Finding = {
    path: 'a.ts',
    side: 'new',
    startLine: 2,
    endLine: 2,
    severity: 'low',
    category: 'correctness',
    confidence: 1,
    title: 't',
    reason: 'r',
    quotedCode: 'two',
    suggestion: 'TWO',
    source: { kind: 'model' },
    ...finding,
  };
  return checkSuggestion(claim, given.placement ?? inline, given.lines ?? lines, given.isWanted ?? true);
}

describe('checkSuggestion', () => {
  it('offers a replacement of the commented lines', () => {
    expect(check({})).toEqual({ kind: 'offered', lines: ['TWO'] });
    expect(check({ suggestion: 'TWO\n2.5\n' })).toEqual({ kind: 'offered', lines: ['TWO', '2.5'] });
    expect(check({ suggestion: '' })).toEqual({ kind: 'offered', lines: [] });
    expect(check({ suggestion: 'a // comment\n/regex/.test(x)\n/* c */' })).toMatchObject({ kind: 'offered' });
  });

  it('has nothing to offer without one, or where the policy wants none', () => {
    expect(check({ suggestion: null })).toEqual({ kind: 'none' });
    expect(check({}, { isWanted: false })).toEqual({ kind: 'none' });
  });

  it.each([
    ['removed-lines', { side: 'old' as const }],
    ['no-change', { suggestion: 'two' }],
    ['no-change', { suggestion: 'two\r\n' }],
    ['too-long', { suggestion: 'x\n'.repeat(101) }],
    ['command', { suggestion: 'ok\n/merge' }],
    ['command', { suggestion: '  /Close\n' }],
    ['command', { suggestion: '/some_new_command with words' }],
    ['hidden-characters', { suggestion: 'if (a\u202e) {' }],
    ['secret', { suggestion: ['glpat', 'xY3_zQ8-1aB2cD3eF4gH'].join('-') }],
    ['marker', { suggestion: '<!-- drydock:finding:1 -->' }],
    ['blank', { suggestion: ' ' }],
    ['sensitive-file', { path: '.gitlab-ci.yml' }],
    ['sensitive-file', { path: 'sub/.github/workflows/x.yml' }],
    ['sensitive-file', { path: 'package-lock.json' }],
    ['sensitive-file', { path: 'deploy/.env.production' }],
    ['sensitive-file', { path: 'keys/id_ed25519' }],
  ])('leaves out: %s', (why, finding) => {
    expect(check(finding)).toMatchObject({ kind: 'left-out', why });
  });

  it('offers nothing where the comment does not stand on the line', () => {
    const placement: Placement = { kind: 'file', oldPath: 'a.ts', newPath: 'a.ts', why: 'refused-by-forge' };

    expect(check({}, { placement })).toMatchObject({ kind: 'left-out', why: 'not-inline' });
  });

  it('keeps the line ending of a CRLF file: one line takes that of the line it replaces, more would lose theirs', () => {
    const crlf = lines.map((line) => `${line}\r`);

    expect(check({}, { lines: crlf })).toEqual({ kind: 'offered', lines: ['TWO'] });
    expect(check({ suggestion: 'two' }, { lines: crlf })).toMatchObject({ why: 'no-change' });
    expect(check({ suggestion: 'TWO\r\n2.5' }, { lines: crlf })).toMatchObject({ why: 'line-endings' });
  });
});
