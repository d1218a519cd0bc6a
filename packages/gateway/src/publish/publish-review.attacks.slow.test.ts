import { describe, expect, it } from '@jest/globals';
import type { Finding } from '@drydock/core';
import { quickActionNames } from '@drydock/testkit';
import fc from 'fast-check';
import { PublishBench, never } from './publish.contract.ts';
import { renderComment, renderInSummary } from './render-comment.ts';
import { renderReview, renderState } from './render-summary.ts';
import { writeState } from './write-state.ts';

const evil = 'https://evil.example/p?d=';
const attacks: readonly string[] = [
  // All of them stand in the test of neutralising itself.
  ...quickActionNames.slice(0, 12).map((name) => `/${name} @root`),
  ...[
    '/approve',
    '\r/merge',
    '/MERGE',
    '````\n```\n/merge\n````',
    '```\nunclosed\n/merge',
    '<div>\n\n/merge\n\n</div>',
  ],
  ...[
    '>>>\nquote\n/merge',
    '   /merge',
    '&#47;merge',
    '\u200b/merge',
    '- \n/merge',
    '| a |\n|--|\n/merge',
    '/merge\u2028/close',
  ],
  ...[
    '@all',
    '@group/sub',
    '&#64;all',
    '&commat;all',
    '\\@all',
    '(@all)',
    '**@all**',
    '`@all',
    '@\u200ball',
    'x@all.example',
  ],
  ...[
    'closes #1',
    'Fixes group/service#1',
    'resolves !1',
    '#1',
    '!1',
    '~bug',
    '%"v 1"',
    '$1',
    '&1',
    '^alert#1',
    'JIRA-1',
  ],
  ...[
    '[issue:1]',
    '[vulnerability:1]',
    '[[wiki]]',
    'group/service@0123456789',
    '0123456789abcdef0123456789abcdef01234567',
  ],
  ...[
    `![x](${evil})`,
    `[x](${evil})`,
    `<img src="${evil}">`,
    `<a href=${evil}>x</a>`,
    `[x]\n\n[x]: ${evil}`,
    `<${evil}>`,
    evil,
  ],
  ...[`![x][y]\n\n[y]: ${evil}`, 'www.evil.example', '//evil.example', 'javascript:alert(1)', 'mailto:a@evil.example'],
  ...[
    '```mermaid\ngraph LR\n```',
    '$$\\href{https://evil.example}{x}$$',
    '$`\\url{https://evil.example}`$',
    '::include{file=x}',
  ],
  ...[
    '<details><summary>/merge</summary>',
    '<!-- drydock:summary:1:00000000:AAAA:AAAA -->',
    '--> @all',
    '</details>\n/merge',
  ],
  ...[
    '\u202e@all',
    '\u{e0041}\u{e0042}',
    '\ufeff/merge',
    '\u3164/merge',
    '\0/merge',
    '\u001b[31m/merge',
    '[^1]: /merge',
    ':tada:',
  ],
];
const setup = { before: { 'a.ts': 'one\ntwo\n' }, after: { 'a.ts': 'one\nTWO\nthree\n' } };

describe('comments written from hostile text', () => {
  it.each([
    ['title', (text: string): Partial<Finding> => ({ title: text.slice(0, 200) })],
    ['reason', (text: string): Partial<Finding> => ({ reason: text })],
    ['reason, amid text', (text: string): Partial<Finding> => ({ reason: `Some text\n${text}\nmore text` })],
    ['suggestion', (text: string): Partial<Finding> => ({ suggestion: `line\n${text}\nline` })],
    ['rule', (text: string): Partial<Finding> => ({ source: { kind: 'rule', rule: text.slice(0, 100) } })],
  ])(
    'set off nothing by their %s',
    async (_, where) => {
      await using bench = await PublishBench.start({ ...setup, policy: { maxComments: 200 } });
      const plain = await bench.review([
        { path: 'a.ts', at: 'TWO' },
        { path: 'a.ts', at: 'three', side: 'new' },
      ]);
      const [first] = plain.result.findings;
      if (first === undefined) throw new Error('no finding');

      for (const [index, attack] of attacks.entries()) {
        const finding = { ...first, ...where(attack) };
        const checked = {
          finding,
          identity: index.toString(16).padStart(64, '0'),
          path: 'a.ts',
          codeHash: '0',
          codeLines: 1,
          placement: { kind: 'summary', why: 'file-not-in-diff' } as const,
          suggestion: { kind: 'left-out', why: 'not-inline', lines: (finding.suggestion ?? '').split('\n') } as const,
        };
        for (const body of [renderComment(checked, []), renderInSummary(checked, [])]) {
          await bench.gitlab.comment(bench.gitlab.bot, 1, body);
          expect([attack, bench.gitlab.effects]).toEqual([attack, []]);
        }
      }
    },
    60_000,
  );

  it('set off nothing when they are really published, suggestions included', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { maxComments: 200 } });
    for (const [index, attack] of attacks.entries()) {
      if (index % 6 !== 0) continue;
      const claim = { path: 'a.ts', at: 'TWO', title: attack.slice(0, 200), reason: attack, suggestion: attack };
      await bench.publish([claim], {
        result: {
          summary: attack,
          partial: attack.slice(0, 500),
          notRead: [{ path: attack, why: attack.slice(0, 300) }],
        },
      });
      const state = { kind: 'skipped', headSha: null, why: attack.slice(0, 500) } as const;
      await writeState(bench.ports, bench.ref, { v: 1, state, createNote: true }, bench.policy, never);
      for (const thread of bench.threads) bench.gitlab.deleteNote(1, thread.notes[0]?.id ?? 0);
      for (const note of bench.gitlab.notes(1)) bench.gitlab.deleteNote(1, note.id);
      expect([attack, bench.gitlab.effects]).toEqual([attack, []]);
    }
  });

  it('set off nothing, whatever the text', async () => {
    await using bench = await PublishBench.start(setup);
    const piece = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...attacks) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '\n',
          ' ',
          '`',
          '```',
          '~~~~',
          '>',
          '|',
          '\\',
          '*',
          '<!--',
          '-->',
          '<b>',
          '\r',
          '\t',
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
    );
    const text = fc.array(piece, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));
    const usage = {
      calls: 1,
      reusedCalls: 0,
      tokens: { input: 1, output: 1, cacheRead: 0, cacheWrite: 0 },
      costUsd: null,
    };

    await fc.assert(
      fc.asyncProperty(text, text, text, async (title, reason, path) => {
        const headSha = 'a'.repeat(40);
        const rows = [
          { severity: 'high', where: path, title, url: `${bench.gitlab.url}/x`, isEarlier: false },
        ] as const;
        const facts = { headSha, attempt: 1, verdict: 'comment', rows, sections: [], fixed: 0, heldBack: {} } as const;
        const more = { overview: reason, partial: title, changedFiles: 1, notRead: [{ path, why: title }], turns: 1 };
        const before = bench.gitlab.effects.length;
        const body = renderReview({ ...facts, ...more, usage, secrets: [] });
        const state = renderState({ kind: 'failed', headSha, why: reason, willRetry: false }, body, true);

        for (const written of [body, state]) await bench.gitlab.comment(bench.gitlab.bot, 1, written);

        expect(bench.gitlab.effects.slice(before)).toEqual([]);
        expect(body.split('\n').filter((line) => /^\s*\//.test(line))).toEqual([]);
        expect(body).not.toContain('<!--');
      }),
      // A backslash before a code span was once taken for an escape.
      { numRuns: 150, examples: [['a', '\\```mermaid\ngraph LR\n```- \n/merge @root', 'b']] },
    );
  });
});
