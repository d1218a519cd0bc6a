import { describe, expect, it } from '@jest/globals';
import { parseCommand } from './command.ts';

describe('parseCommand', () => {
  it.each([
    '/drydock review',
    '/claude review',
    '/Drydock Review  ',
    'please\n/drydock review\nthanks',
    'a\r\n/drydock review\r\n',
    '```\ncode\n```\n/drydock review',
    '```` code ```` and ``` more\n/drydock review',
    '>>>\nquoted\n>>>\n/drydock review',
    'text <!-- aside --> text\n/drydock review',
    '> ```\n\n/drydock review',
  ])('takes %j as an order', (comment) => {
    expect(parseCommand(comment)).toBe('review');
  });

  it.each([
    'drydock review',
    ' /drydock review',
    '> /drydock review',
    '`/drydock review`',
    '/drydock review now',
    '/drydock approve',
    '/drydock',
    'see /drydock review',
    '```\n/drydock review\n```',
    '````\n```\n/drydock review\n````',
    '~~~\n/drydock review',
    '```\n```js\n/drydock review\n```',
    '```\n~~~\n/drydock review\n```',
    '>>>\n/drydock review\n>>>',
    '<!--\n/drydock review\n-->',
    '<!-- a --> <!-- b\n/drydock review\n-->',
    '',
  ])('takes %j as none', (comment) => {
    expect(parseCommand(comment)).toBeNull();
  });
});
