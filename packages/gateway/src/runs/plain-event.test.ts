import { describe, expect, it } from '@jest/globals';
import { plainEvent } from './plain-event.ts';

describe('plainEvent', () => {
  it('takes out what steers a terminal, forges a line or turns the direction of text', () => {
    expect(plainEvent({ kind: 'log', level: 'info', text: 'a\u001b[2Jb\r\nc\u202Ed\u2028e\uD800' })).toEqual({
      kind: 'log',
      level: 'info',
      text: 'a [2Jb  c d e\uFFFD',
    });
  });

  it('leaves the rest as it is', () => {
    const event = {
      kind: 'tool',
      tool: 'read_file',
      target: 'src/日本語.ts',
      isError: false,
      durationMs: 1.5,
    } as const;

    expect(plainEvent(event)).toEqual(event);
  });
});
