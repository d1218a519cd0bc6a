import { describe, expect, it } from '@jest/globals';
import { lookOf, plainLook } from './text-look.ts';

const terminal = (environment: Record<string, string>) =>
  lookOf({ isTerminal: true, columns: 100, environment: { TERM: 'xterm-256color', ...environment } });
const pipe = (environment: Record<string, string>) => lookOf({ isTerminal: false, columns: undefined, environment });

describe('lookOf', () => {
  it('has colours on a terminal and not in a pipe', () => {
    expect(terminal({}).isColoured).toBe(true);
    expect(pipe({}).isColoured).toBe(false);
    // Node does not know of a pipe that it is no terminal.
    expect(lookOf({ isTerminal: undefined, columns: undefined, environment: {} })).toEqual(plainLook);
  });

  it.each([
    [{ NO_COLOR: '1' }, false],
    [{ NO_COLOR: '' }, true],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [{ FORCE_COLOR: '0' }, false],
    [{ TERM: 'dumb' }, false],
    [{ TERM: 'dumb', FORCE_COLOR: '1' }, true],
  ])('heeds %j on a terminal', (environment, isColoured) => {
    expect(terminal(environment).isColoured).toBe(isColoured);
  });

  it('has colours in a pipe where they are asked for, and no links', () => {
    expect(pipe({ FORCE_COLOR: '1', VTE_VERSION: '6003' })).toEqual({ isColoured: true, hasLinks: false, width: null });
  });

  it.each([
    [{ VTE_VERSION: '7006' }, true],
    [{ VTE_VERSION: '4205' }, false],
    [{ TERM: 'xterm-kitty' }, true],
    [{ TERM_PROGRAM: 'WezTerm' }, true],
    [{ TERM_PROGRAM: 'vscode', TMUX: '/tmp/tmux-0/default,1,0' }, false],
    [{ FORCE_HYPERLINK: '1', TMUX: 'x' }, true],
    [{ FORCE_HYPERLINK: '0', TERM_PROGRAM: 'vscode' }, false],
    [{}, false],
  ])('knows of %j whether it shows links', (environment, hasLinks) => {
    expect(terminal(environment).hasLinks).toBe(hasLinks);
  });

  it.each([
    [20, 40],
    [undefined, 80],
    [132, 132],
  ])('makes of %p columns %p', (columns, width) => {
    expect(lookOf({ isTerminal: true, columns, environment: {} }).width).toBe(width);
  });
});
