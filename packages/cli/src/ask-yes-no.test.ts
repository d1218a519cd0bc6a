import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { askYesNo, canAsk } from './ask-yes-no.ts';
import { captureOutput } from './testing/captured-output.ts';

function aTerminal(typed: string | null, columns: number | null = 80) {
  const keys = Object.assign(new PassThrough(), { isTTY: true });
  if (typed !== null) keys.end(typed);
  const stop = new AbortController();
  const out = captureOutput(columns);
  const stdin = () => keys as unknown as NodeJS.ReadStream;
  return { ports: { stdin, stderr: out.stream, signal: stop.signal }, text: out.text, stop };
}

describe('askYesNo', () => {
  it.each([
    ['y\n', true],
    ['  YES \n', true],
    ['\n', false],
    ['yet\n', false],
    ['n\n', false],
  ])('takes %j for %p', async (typed, expected) => {
    const { ports, text } = aTerminal(typed);

    expect(await askYesNo('Post it?', ports)).toBe(expected);
    expect(text()).toContain('Post it? [y/N] ');
  });

  it('ends with the command', async () => {
    const { ports, stop } = aTerminal(null);
    const asked = askYesNo('Post it?', ports);
    stop.abort();

    await expect(asked).rejects.toMatchObject({ code: 'aborted' });
  });

  it('is for a terminal', () => {
    expect(canAsk(aTerminal('').ports)).toBe(true);
    expect(canAsk(aTerminal('', null).ports)).toBeFalsy(); // a pipe has no such property
  });
});
