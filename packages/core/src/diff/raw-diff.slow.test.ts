import { describe, expect, it } from '@jest/globals';
import { aGitRepository, gitDiffOutput, type FileChanges, type GitDiffOptions } from '@drydock/testkit';
import { parseRawDiff } from './raw-diff.ts';

const text = 'one\ntwo\nthree\nfour\nfive\nsix\n';
const submodule = { submodule: 'a'.repeat(40) };

async function entriesBetween(before: FileChanges, after: FileChanges, options: GitDiffOptions = {}) {
  await using repository = await aGitRepository();
  const base = await repository.commit(before);
  const head = await repository.commit(after);
  return parseRawDiff((await gitDiffOutput(repository, base, head, options)).raw);
}

describe('parseRawDiff', () => {
  it('tells added, deleted and modified files apart', async () => {
    const entries = await entriesBetween({ gone: 'x\n', kept: text }, { gone: null, kept: `${text}seven\n`, born: '' });

    expect(entries.map(({ status, oldPath, newPath }) => [status, oldPath, newPath])).toEqual([
      ['added', 'born', 'born'],
      ['deleted', 'gone', 'gone'],
      ['modified', 'kept', 'kept'],
    ]);
    expect(entries[0]).toMatchObject({ oldMode: '000000', newMode: '100644', oldOid: '0'.repeat(40) });
  });

  it('reads both paths and the similarity of renames and copies', async () => {
    const entries = await entriesBetween(
      { from: text, source: `${text}${text}`, Case: 'case\n' },
      {
        from: null,
        to: `${text}seven\n`,
        source: `${text}${text}x\n`,
        copy: `${text}${text}`,
        Case: null,
        case: 'case\n',
      },
      { findCopies: true },
    );

    expect(entries.map(({ status, oldPath, newPath, similarity }) => [status, oldPath, newPath, similarity])).toEqual([
      ['renamed', 'Case', 'case', 100],
      ['copied', 'source', 'copy', 100],
      ['modified', 'source', 'source', null],
      ['renamed', 'from', 'to', expect.any(Number)],
    ]);
  });

  it('keeps a chain of renames as git pairs it', async () => {
    const entries = await entriesBetween({ a: text, c: 'p\nq\nr\ns\n' }, { b: text, a: 'p\nq\nr\ns\n', c: null });

    expect(entries.map(({ status, oldPath, newPath }) => [status, oldPath, newPath])).toEqual([
      ['modified', 'a', 'a'],
      ['added', 'b', 'b'],
      ['deleted', 'c', 'c'],
    ]);
  });

  it('reads modes of scripts, links and submodules, and changes of type', async () => {
    const entries = await entriesBetween(
      { script: 'x\n', file: text, module: submodule },
      {
        script: { content: 'x\n', mode: '100755' },
        file: { content: 'target', mode: '120000' },
        module: { submodule: 'b'.repeat(40) },
      },
    );

    expect(entries.map(({ status, oldMode, newMode }) => [status, oldMode, newMode])).toEqual([
      ['type-changed', '100644', '120000'],
      ['modified', '160000', '160000'],
      ['modified', '100644', '100755'],
    ]);
  });

  it.each([
    'a "quoted" name',
    'tab\there',
    'line\nfeed',
    'back\\slash',
    '-leading-dash',
    ':leading-colon',
    'x b/y',
    'ünïcödé/日本',
    'e\u0301',
    '\u00e9',
    '\ufeffbom',
    ' space ',
  ])('gives the path %j as it is', async (path) => {
    const entries = await entriesBetween({ other: '' }, { [path]: text });

    expect(entries).toMatchObject([{ newPath: path, pathIsValid: true }]);
  });

  it('gives a path of 1,500 characters as it is', async () => {
    const path = `${'p'.repeat(200)}/`.repeat(7) + 'p'.repeat(93);

    const entries = await entriesBetween({ other: '' }, { [path]: text });

    expect(entries.map(({ newPath }) => newPath)).toEqual([path]);
  });

  it('marks a path that is no UTF-8', async () => {
    const entries = await entriesBetween({ other: '' }, [[Buffer.from('bad-\xff', 'latin1'), text]]);

    expect(entries).toMatchObject([{ newPath: 'bad-\ufffd', pathIsValid: false }]);
  });

  it('reads the ids of a SHA-256 repository', async () => {
    await using repository = await aGitRepository({ objectFormat: 'sha256' });
    const base = await repository.commit({ file: text });
    const head = await repository.commit({ file: 'other\n' });

    const entries = parseRawDiff((await gitDiffOutput(repository, base, head)).raw);

    expect(entries).toMatchObject([{ newOid: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  });

  it('finds nothing in an empty diff', () => {
    expect(parseRawDiff(Buffer.alloc(0))).toEqual([]);
  });

  it.each([
    ':100644',
    'M\0path\0',
    `:100644 100644 ${'a'.repeat(40)} ${'b'.repeat(40)} M\0`,
    `:100644 100644 ${'a'.repeat(40)} ${'b'.repeat(40)} R100\0only-one\0`,
    `:100644 100644 ${'a'.repeat(40)} ${'b'.repeat(40)} M\0no-end`,
  ])('refuses %j', (raw) => {
    expect(() => parseRawDiff(Buffer.from(raw))).toThrow(expect.objectContaining({ code: 'git.failed' }));
  });
});
