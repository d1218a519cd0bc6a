import { describe, expect, it } from '@jest/globals';
import { exitCodes } from '@drydock/preflight';
import { preflightExitCodes } from '@drydock/scheduler';

describe('the exit codes of the preflight', () => {
  it('are known to the scheduler, each and no other', () => {
    const { ready, ...others } = exitCodes;
    const byNumber = (codes: object) => Object.values(codes).map(Number).sort();

    expect(ready).toBe(0);
    expect(byNumber(preflightExitCodes)).toEqual(byNumber(others));
  });
});
