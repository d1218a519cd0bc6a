import { describe, expect, it } from '@jest/globals';
import { withLibrary } from './lua-library.ts';

describe('withLibrary', () => {
  it('puts before a script what it uses, and what that uses, before its use', () => {
    const source = withLibrary('extend.lua');
    const places = ['local ROOT', 'local LEASES', 'local function later', 'local function hold', 'hold(ARGV[4]'].map(
      (text) => source.indexOf(text),
    );
    expect(places).toEqual(places.toSorted((left, right) => left - right));
    expect(places).not.toContain(-1);
  });

  it('leaves out what a script does not use', () => {
    expect(withLibrary('begin-publishing.lua')).not.toContain('local function turn_member');
  });

  it('gives a script its own comments only', () => {
    expect(withLibrary('begin-publishing.lua').match(/^--/gm)).toHaveLength(3);
  });
});
