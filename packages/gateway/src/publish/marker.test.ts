import { describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { markerKeys, readMark, readMarks, withoutMarks, writeMark, type FindingMark } from './marker.ts';

const ref = { forge: 'gitlab', projectId: '7', iid: 3 };
const keys = markerKeys([new Secret('first')]);
const mark: FindingMark = {
  identity: 'ab'.repeat(32),
  path: 'src/a--b.ts',
  side: 'new',
  category: 'security',
  severity: 'high',
  title: 'A title --> with > signs',
  codeHash: '0123',
  codeLines: 2,
  headSha: 'c'.repeat(40),
  attempt: 1,
};
const line = writeMark(keys, ref, 'finding', mark);

describe('markers', () => {
  it('come back from a body as they went in', () => {
    expect(readMark(keys, ref, 'finding', `Some text.\n\n${line}\n`)).toEqual(mark);
  });

  it('hide themselves: one comment of HTML, without two dashes inside', () => {
    expect(line).toMatch(/^<!-- (?:(?!--).)+ -->$/);
  });

  it.each([
    ['another forge', { ...ref, forge: 'gitlab-eu' }],
    ['another project', { ...ref, projectId: '8' }],
    ['another merge request', { ...ref, iid: 4 }],
  ])('are worth nothing on %s', (_, other) => {
    expect(readMark(keys, other, 'finding', line)).toBeNull();
  });

  it('are worth nothing under another key, as another kind, or with any character changed', () => {
    expect(readMark(markerKeys([new Secret('second')]), ref, 'finding', line)).toBeNull();
    expect(readMark(keys, ref, 'summary', line.replace('finding', 'summary'))).toBeNull();
    for (let index = 20; index < line.length - 5; index += 7) {
      const changed = `${line.slice(0, index)}${line[index] === 'A' ? 'B' : 'A'}${line.slice(index + 1)}`;
      const read = readMark(keys, ref, 'finding', changed);
      // The last character of base64 may carry bits that mean nothing.
      if (read !== null) expect(read).toEqual(mark);
    }
  });

  it('of an old key are still read, and the first key signs', () => {
    const rotated = markerKeys([new Secret('second'), new Secret('first')]);

    const anew = writeMark(rotated, ref, 'finding', mark);

    expect(readMark(rotated, ref, 'finding', line)).toEqual(mark);
    expect(readMark(keys, ref, 'finding', anew)).toBeNull();
    expect(readMark(rotated, ref, 'finding', anew)).toEqual(mark);
  });

  it('are read last first, and all', () => {
    const second = writeMark(keys, ref, 'finding', { ...mark, attempt: 2 });
    const body = `${line}\n\ntext\n\n${second}`;

    expect(readMark(keys, ref, 'finding', body)?.attempt).toBe(2);
    expect(readMarks(keys, ref, 'finding', body)).toHaveLength(2);
    expect(withoutMarks(`text\n\n${body}`)).toBe('text\n\ntext');
  });

  it('need a key', () => {
    expect(() => markerKeys([])).toThrow('at least one marker key');
  });
});
