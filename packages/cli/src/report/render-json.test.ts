import { describe, expect, it } from '@jest/globals';
import { hasHiddenCharacters } from '@drydock/core';
import fc from 'fast-check';
import { hostileReport } from './testing/hostile-report.ts';
import { renderJson } from './render-json.ts';

describe('renderJson', () => {
  it('is the report, without a character that a terminal would obey', () => {
    fc.assert(
      fc.property(hostileReport, (report) => {
        const text = renderJson(report);

        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(report)));
        expect(hasHiddenCharacters(text)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
