import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('errors in tests', () => {
  it('are of the classes they have outside tests', () => {
    class OwnError extends Error {}
    const fromNode = thrownBy(() => readFileSync('/nowhere'));
    const badArgument = thrownBy(() => readFileSync(Symbol('no path') as unknown as string));

    expect(fromNode instanceof Error).toBe(true);
    expect(fromNode instanceof TypeError).toBe(false);
    expect(fromNode instanceof OwnError).toBe(false);
    expect(badArgument instanceof TypeError).toBe(true);
    expect(new OwnError('x') instanceof OwnError).toBe(true);
    expect(new OwnError('x') instanceof Error).toBe(true);
    expect(new TypeError('x') instanceof Error).toBe(true);
    expect(AbortSignal.abort().reason instanceof Error).toBe(true);
    expect({ name: 'Error', message: 'x' } instanceof Error).toBe(false);
  });
});
