import { describe, expect, it } from '@jest/globals';
import { globList } from './glob-list.ts';

describe('globList', () => {
  it.each([
    ['', []],
    ['src/**', ['src/**']],
    ['src/**, docs/*.md,', ['src/**', 'docs/*.md']],
    ['**/*.{ts,js},{a,{b,c}}/**', ['**/*.{ts,js}', '{a,{b,c}}/**']],
    ['a\\,b,c\\{,d', ['a\\,b', 'c\\{', 'd']],
    ['a},b', ['a}', 'b']],
    ['日本/𝒳,b', ['日本/𝒳', 'b']],
  ])('reads %j', (text, expected) => {
    expect(globList(text)).toEqual(expected);
  });
});
