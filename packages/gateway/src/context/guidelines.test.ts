import { describe, expect, it } from '@jest/globals';
import { ObjectReader } from '@drydock/git';
import { aGitRepository, type FileChanges } from '@drydock/testkit';
import { readGuidelines } from './guidelines.ts';

const never = new AbortController().signal;
const searchPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';

async function guidelinesFor(files: FileChanges, changedPaths: readonly string[]) {
  await using fixture = await aGitRepository();
  const revision = await fixture.commit(files);
  const repo = { gitDir: fixture.gitDir, searchPath };
  await using reader = new ObjectReader({ repo });
  return await readGuidelines({ repo, reader, revision }, changedPaths, never);
}

const pathsOf = (guidelines: readonly { readonly path: string }[]) => guidelines.map(({ path }) => path);

describe('readGuidelines', () => {
  it('finds those above the changed files, nearest first', async () => {
    const files = {
      'AGENTS.md': 'root',
      '.claude/review.md': 'root claude',
      'src/REVIEW.md': 'src',
      'src/deep/.claude/review.md': 'deep',
      'src/deep/er/CLAUDE.md': 'deeper',
      'other/AGENTS.md': 'elsewhere',
    };

    const found = await guidelinesFor(files, ['src/deep/er/a.ts', 'src/b.ts']);

    expect(pathsOf(found)).toEqual([
      'src/deep/er/CLAUDE.md',
      'src/deep/.claude/review.md',
      'src/REVIEW.md',
      '.claude/review.md',
      'AGENTS.md',
    ]);
  });

  it('reads the root for a change in new folders too', async () => {
    expect(pathsOf(await guidelinesFor({ 'CLAUDE.md': 'x', f: '' }, ['brand/new/folder/a.ts']))).toEqual(['CLAUDE.md']);
  });

  it('takes copies once, and nothing that is no plain text file', async () => {
    const files: FileChanges = {
      'AGENTS.md': 'the same',
      'CLAUDE.md': 'the same',
      'REVIEW.md': { content: '../../etc/passwd', mode: '120000' },
      'a/AGENTS.md': Buffer.from([0, 1, 2]),
      'a/CLAUDE.md': { submodule: 'a'.repeat(40) },
      'a/REVIEW.md': ' \n',
      'b/AGENTS.md/not-a-file.md': 'a folder of that name',
    };

    expect(pathsOf(await guidelinesFor(files, ['a/x', 'b/x']))).toEqual(['AGENTS.md']);
  });

  it('cuts what is long and says so, and leaves out what is too much, but never the root', async () => {
    const folders = Array.from({ length: 40 }, (_, index) => `d${String(index).padStart(2, '0')}`);
    const files = Object.fromEntries([
      ['AGENTS.md', 'root'],
      ...folders.map((folder) => [`${folder}/AGENTS.md`, `${folder} ${'é'.repeat(30_000)}`] as const),
    ]) as Record<string, string>;

    const found = await guidelinesFor(
      files,
      folders.map((folder) => `${folder}/x`),
    );

    const bytes = found.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    expect(bytes).toBeLessThan(130 * 1024);
    expect(found.length).toBeGreaterThan(3);
    expect(found.at(-1)).toEqual({ path: 'AGENTS.md', text: 'root' });
    expect(found[0]?.text).toContain('[cut here: the file is longer]');
    expect(found[0]?.text).not.toContain('\uFFFD');
  });

  it('stays whole with thousands of folders and odd paths', async () => {
    const changed = Array.from(
      { length: 3000 },
      (_, index) => `${'very-long-folder-name-'.repeat(8)}${String(index)}/x`,
    );

    expect(
      pathsOf(await guidelinesFor({ 'CLAUDE.md': 'x' }, [...changed, '-rf/x', ':(glob)**/x', 'a\nb/x', '..'])),
    ).toEqual(['CLAUDE.md']);
  });
});
