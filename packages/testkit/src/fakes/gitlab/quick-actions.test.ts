import { describe, expect, it } from '@jest/globals';
import {
  extractByMarkdown,
  extractByRegExp,
  extractQuickActions,
  type ExtractedQuickActions,
} from './quick-actions.ts';

const names = ({ actions }: ExtractedQuickActions) => actions.map((action) => action.name);

/** [what it is, the text, what the older generation runs, what the newer one runs] */
const cases: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
  ['a command alone', '/close', ['close'], ['close']],
  ['a command with an argument', 'Text\n/title New one\nmore', ['title'], ['title']],
  ['upper case', '/CLOSE', ['close'], ['close']],
  ['behind a carriage return', 'Text\r\n\r/close\r\n', ['close'], ['close']],
  ['a carriage return inside', '/cl\rose', ['close'], ['close']],
  ['an unknown command', '/drydock review', [], []],
  ['a known one as the start of a word', '/closer', [], []],
  ['indented by one space', ' /close', [], []],
  ['indented as code', 'Text\n\n    /close', [], []],
  ['escaped', '\\/close', [], []],
  ['inside a fence', '```\n/close\n```', [], []],
  ['inside a fence with an info text', '```suggestion:-0+0\n/close\n```', [], []],
  ['inside a fence of four backticks', '````\n/close\n````', ['close'], []],
  ['inside a fence of tildes', '~~~\n/close\n~~~', ['close'], []],
  ['inside a fence that is never closed', '```\n/close', ['close'], []],
  ['behind the text that looks like the end of a longer fence', '````\n```\n/close\n````', ['close'], []],
  ['behind a closed fence', '```\ncode\n```\n/close', ['close'], ['close']],
  ['inside an indented fence', '  ```\n/close\n  ```', ['close'], []],
  ['inside HTML', '<div>\n/close\n</div>', [], []],
  ['inside HTML behind an empty line', '<div>\n\n/close\n\n</div>', [], ['close']],
  ['inside HTML with attributes that is never closed', '<div a="b">\n/close', ['close'], []],
  ['directly below HTML', '<br>\n/close', ['close'], []],
  ['inside a HTML comment', '<!--\n/close\n-->', ['close'], []],
  ['inside a >>> quote', '>>>\n/close\n>>>', [], []],
  ['inside a >>> quote that is never closed', '>>>\n/close', ['close'], []],
  ['behind a >>> quote', '>>>\nquoted\n>>>\n\n/close', ['close'], ['close']],
  ['quoted', '> /close', [], []],
  ['a lazy line below a quote', '> quoted\n/close', ['close'], []],
  ['a lazy line below a paragraph in a list', '- item\n\n  text\n/close', ['close'], []],
  ['behind a list', '- item\n\n/close', ['close'], ['close']],
  ['a lazy line below a list item', '- item\n/close', ['close'], []],
  ['between backticks on their own lines', '`\n/close\n`', [], []],
  ['between backticks within a text', 'a `b\n/close\nc` d', ['close'], []],
  ['a heading made by an underline', '/close\n===', ['close'], []],
  ['several', '/label ~bug\n/assign @dana\nText\n/merge', ['label', 'assign', 'merge'], ['label', 'assign', 'merge']],
  ['behind a line separator, which ends no line', 'Text\u2028/close', [], []],
];

describe('quick actions', () => {
  it.each(cases)('of both generations: %s', (_, text, older, newer) => {
    expect(names(extractByRegExp(text))).toEqual(older);
    expect(names(extractByMarkdown(text))).toEqual(newer);
  });

  it('run when either generation would run them, once', () => {
    expect(names(extractQuickActions('/close\n\n````\n/merge\n````\n\n<div>\n\n/approve\n\n</div>'))).toEqual([
      'close',
      'merge',
      'approve',
    ]);
  });

  it('are cut from the text that is stored', () => {
    expect(extractQuickActions('Before\r\n/title  A new one \r\nAfter\n')).toEqual({
      actions: [{ name: 'title', argument: 'A new one' }],
      content: 'Before\nAfter',
    });
    expect(extractQuickActions('/close').content).toBe('');
  });

  it('are looked for in time that grows with the text', () => {
    const text = 'A `word` and `another`.\n```ts\nconst a = `b`;\n```\n> quoted\n- item\n'.repeat(1000);

    expect(names(extractQuickActions(text))).toEqual([]);
  });
});
