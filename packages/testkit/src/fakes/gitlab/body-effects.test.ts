import { describe, expect, it } from '@jest/globals';
import { findBodyEffects } from './body-effects.ts';

const own = 'http://gitlab.example.com';
const found = (text: string) => findBodyEffects(text, own).map(({ kind, detail }) => `${kind} ${detail}`);

describe('findBodyEffects', () => {
  it.each([
    ['@dana', ['mention dana']],
    ['(@all)', ['mention all']],
    ['&#64;dana and &#x40;all', ['mention dana', 'mention all']],
    ['@acme/team', ['mention acme/team']],
    ['closes #12', ['issue-close #12', 'reference #12']],
    ['see acme/shop!3', ['reference acme/shop!3']],
    ['![x](https://evil.example/p.png)', ['image https://evil.example/p.png']],
    ['<img src="https://evil.example/p.png">', ['image <img src="https://evil.example/p.png"']],
    ['![x][logo]', ['image logo']],
    ['[t](https://evil.example/?q=1)', ['link https://evil.example/?q=1']],
    ['https://evil.example/a', ['link https://evil.example/a']],
    ['<https://evil.example/a>', ['link https://evil.example/a']],
    ['[a]: //evil.example', ['link //evil.example']],
    ['www.evil.example', ['link www.evil.example']],
    ['<div>\n@dana\n</div>', ['mention dana']],
    ['> @dana', ['mention dana']],
  ])('finds what %j does', (text, effects) => {
    expect(found(text)).toEqual(effects);
  });

  it.each([
    'dana@example.com',
    '`@dana`',
    '``a ` @dana``',
    '```\n@dana ![x](https://evil.example)\n```',
    '    @dana',
    '\\@dana \\#12',
    '@\u200bdana',
    '<!-- @dana https://evil.example -->',
    `[t](${own}/acme/shop) and [u](#note_1) and [v](/acme)`,
    'a colour like #fff, a range 1..2',
  ])('finds nothing in %j', (text) => {
    expect(found(text)).toEqual([]);
  });

  it('finds what unclosed backticks do not hide', () => {
    expect(found('`` ` @dana')).toEqual(['mention dana']);
  });
});
