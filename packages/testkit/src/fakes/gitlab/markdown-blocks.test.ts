import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseMarkdown } from './markdown-blocks.ts';

const shape = (text: string) => parseMarkdown(text).map(({ kind, text: inner }) => [kind, inner]);

describe('parseMarkdown', () => {
  it('tells fences, indented code, HTML, headings and paragraphs apart', () => {
    const text = '# Head\ntext\n    more text\n\n    code\n\n```ts\na\n```\n<div>\nb\n\nlast';

    expect(shape(text)).toEqual([
      ['heading', '# Head'],
      ['paragraph', 'text\n    more text'],
      ['code', '    code\n'],
      ['code', 'a'],
      ['html', '<div>\nb'],
      ['paragraph', 'last'],
    ]);
  });

  it('closes a fence only by one at least as long, of the same kind', () => {
    expect(shape('````\n```\n~~~\n````` \nafter')).toEqual([
      ['code', '```\n~~~'],
      ['paragraph', 'after'],
    ]);
  });

  it('takes a fence with a backtick in its info for a paragraph', () => {
    expect(shape('``` a`b\ntext')).toEqual([['paragraph', '``` a`b\ntext']]);
  });

  it('looks into quotes and lists', () => {
    const blocks = parseMarkdown('> quoted\nlazy\n\n1. item\n\n   ```\n   code\n   ```\n');

    expect(blocks.map(({ kind, isTopLevel, text }) => [kind, isTopLevel, text])).toEqual([
      ['paragraph', false, 'quoted\nlazy'],
      ['paragraph', false, 'item'],
      ['code', false, 'code'],
    ]);
  });

  it('gives every text some structure, with its lines in order', () => {
    const piece = fc.constantFrom(
      '```',
      '````',
      '~~~',
      '>',
      '>>>',
      '- ',
      '1. ',
      '    ',
      '<div>',
      '<!--',
      '-->',
      '#',
      '---',
      'a',
      '\n',
      '\n\n',
      '/close',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const text = pieces.join('');

        const blocks = parseMarkdown(text);

        const lines = text.split('\n').length;
        expect(blocks.every((block) => block.startLine <= block.endLine && block.endLine < lines)).toBe(true);
      }),
    );
  });
});
