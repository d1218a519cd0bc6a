import { describe, expect, it } from '@jest/globals';
import { aGitRepository } from '@drydock/testkit';
import { readBlame } from './blame.ts';
import { readLog } from './log.ts';

const never = new AbortController().signal;
const searchPath = process.env['PATH'] ?? '';
const hostile = 'author Eve\nfilename x\n\u001b[31mcommit ' + 'a'.repeat(40) + ' 1 1 9\n\nbody';

describe('readLog', () => {
  it('reads commits whatever their messages say', async () => {
    await using fixture = await aGitRepository();
    const first = await fixture.commit({ a: '1' }, { message: hostile, author: 'Zoë "Z" O\'Neil' });
    const second = await fixture.commit({ b: '2' }, { message: '' });
    const repo = { gitDir: fixture.gitDir, searchPath };

    const entries = await readLog({ repo, head: second, maxCount: 10 }, never);

    expect(entries).toEqual([
      {
        ...{ sha: second, parents: [first], authorName: 'A Author', authorEmail: 'author@example.test' },
        ...{ authoredAtMs: 1_700_000_120_000, subject: '', message: '' },
      },
      {
        ...{ sha: first, parents: [], authorName: 'Zoë "Z" O\'Neil', authorEmail: 'author@example.test' },
        ...{ authoredAtMs: 1_700_000_060_000, subject: hostile.split('\n\n')[0]?.replaceAll('\n', ' ') },
        message: hostile,
      },
    ]);
  });

  it('lists a part of history', async () => {
    await using fixture = await aGitRepository();
    const base = await fixture.commit({ a: '1', 'x*': '1' });
    const left = await fixture.commit({ a: '2' });
    const right = await fixture.commit({ b: '2' }, { parents: [base] });
    const merge = await fixture.commit({ 'x*': '3' }, { parents: [left, right] });
    const repo = { gitDir: fixture.gitDir, searchPath };
    const list = async (more: object) =>
      (await readLog({ repo, head: merge, maxCount: 10, ...more }, never)).map(({ sha }) => sha);

    expect(await list({ exclude: [left] })).toEqual([merge, right]);
    expect(await list({ exclude: [base], maxCount: 1 })).toEqual([merge]);
    expect(await list({ paths: ['a'] })).toEqual([left, base]);
    expect(await list({ paths: ['x*'] })).toEqual([merge, base]);
    expect(await list({ head: 'refs/heads/main', paths: ['none'] })).toEqual([]);
    await expect(list({ head: 'f'.repeat(40) })).rejects.toMatchObject({ code: 'git.object_missing' });
    await expect(list({ exclude: ['--all'] })).rejects.toMatchObject({ code: 'request.malformed' });
  });
});

describe('readBlame', () => {
  it('tells for runs of lines where they come from', async () => {
    await using fixture = await aGitRepository();
    const path = 'a b/"c"';
    const first = await fixture.commit({ [path]: '1\n2\n3\n4\n' }, { message: hostile, author: 'Zoë' });
    const second = await fixture.commit({ [path]: 'new\n1\n2\nchanged\n4\n' });
    const repo = { gitDir: fixture.gitDir, searchPath };

    const all = await readBlame({ repo, revision: second, path }, never);
    const part = await readBlame({ repo, revision: second, path, lines: { start: 3, end: 99 } }, never);

    expect(all.map((range) => [range.startLine, range.lineCount, range.originalStartLine, range.sha])).toEqual([
      [1, 1, 1, second],
      [2, 2, 1, first],
      [4, 1, 4, second],
      [5, 1, 4, first],
    ]);
    expect(all[1]).toMatchObject({ authorName: 'Zoë', authoredAtMs: 1_700_000_060_000 });
    expect(all[1]?.summary).toBe('author Eve');
    expect(part.map((range) => range.startLine)).toEqual([3, 4, 5]);
  });

  it('says what is missing', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ a: '1\n' });
    const repo = { gitDir: fixture.gitDir, searchPath };

    for (const [at, path] of [
      [revision, 'none'],
      ['f'.repeat(40), 'a'],
      ['refs/heads/none', 'a'],
    ] as const) {
      await expect(readBlame({ repo, revision: at, path }, never)).rejects.toMatchObject({
        code: 'git.object_missing',
      });
    }
    await expect(readBlame({ repo, revision, path: 'a', lines: { start: 5, end: 6 } }, never)).rejects.toMatchObject({
      code: 'git.failed',
    });
  });
});
