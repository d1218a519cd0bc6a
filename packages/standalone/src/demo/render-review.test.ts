import { describe, expect, it } from '@jest/globals';
import type { PublishedComment } from '@drydock/core';
import pc from 'picocolors';
import { renderReview } from './render-review.ts';

const plain = pc.createColors(false);
const file = ['one', 'two', 'three', 'four', 'five', 'six'];

function aComment(changes: Partial<PublishedComment> = {}): PublishedComment {
  return {
    path: 'src/a.ts',
    side: 'new',
    startLine: 4,
    endLine: 5,
    severity: 'high',
    category: 'correctness',
    body: 'A title\n\nA reason.',
    placement: 'inline',
    isNew: true,
    url: null,
    ...changes,
  };
}

describe('renderReview', () => {
  it('shows each comment under its code, with a little before it', () => {
    const text = renderReview([aComment()], () => file, plain);

    expect(text.split('\n')).toEqual([
      '  src/a.ts:4',
      '     2 │ two',
      '     3 │ three',
      '     4 │ four',
      '     5 │ five',
      '       ┃ A title',
      '       ┃ ',
      '       ┃ A reason.',
      '',
    ]);
  });

  it('says when it is about a removed line or stands elsewhere, and needs no code', () => {
    const text = renderReview([aComment({ side: 'old', placement: 'summary' })], () => null, plain);

    expect(text.split('\n')[0]).toBe('  src/a.ts:4 (a removed line) (placed at the summary)');
    expect(text).not.toContain('│');
  });

  it('goes through the files in order, and breaks long lines at spaces', () => {
    const long = aComment({ path: 'src/0.ts', startLine: 1, endLine: 1, body: 'word '.repeat(60) });

    const rows = renderReview([aComment(), long], () => file, plain).split('\n');

    expect(rows.filter((row) => row.startsWith('  src/'))).toEqual(['  src/0.ts:1', '  src/a.ts:4']);
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(100);
    expect(rows.join(' ').match(/word/g)).toHaveLength(60);
  });
});
