import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, systemClock, type ReviewReport } from '@drydock/core';
import { aGitRepository, type FileChanges, type GitRepositoryFixture } from '@drydock/testkit';
import { runReview } from './review/run-review.ts';

describe('the scripted model on any repository', () => {
  let folder: string;
  let repository: GitRepositoryFixture;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-scripted-'));
    repository = await aGitRepository();
  });
  afterEach(async () => {
    await repository[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function review(before: FileChanges, after: FileChanges): Promise<ReviewReport> {
    const base = await repository.commit(before);
    await repository.commit(after);
    return reviewSince(base);
  }

  async function reviewSince(base: string): Promise<ReviewReport> {
    const end = await runReview(
      {
        subject: { kind: 'local', wanted: { cwd: repository.gitDir, base, head: 'main', work: 'none', isRoot: false } },
        model: { kind: 'scripted' },
        policy: ReviewPolicy.parse({ maxComments: 200 }),
        maxCostUsd: null,
        only: [],
        skip: [],
        cacheDir: null,
        forge: { id: 'gitlab', baseUrl: 'https://gitlab.com', token: null },
        markerKeys: [],
        proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
        caPem: null,
        searchPath: process.env['PATH'] ?? '',
        environment: { HOME: folder },
        tempDir: folder,
      },
      { clock: systemClock, mayPost: null, signal: new AbortController().signal, onProgress: () => undefined },
    );
    if (end.kind !== 'reviewed') throw new Error(`it ended as ${JSON.stringify(end)}`);
    return end.report;
  }

  const places = (report: ReviewReport) =>
    report.findings.map(({ path, side, startLine, endLine, title }) =>
      [`${path}:${String(startLine)}-${String(endLine)}`, side, title].join(' '),
    );

  it('finds its places in any language, with any line ends and any names', async () => {
    const report = await review(
      { 'a.py': 'import os\n', 'src/windows.js': 'var a = 1;\r\nvar b = 2;\r\n' },
      {
        'a.py': 'import os\n\ndef f(x):\n    print(x)\n    try:\n        g()\n    except Exception:\n        pass\n',
        'src/windows.js': 'var a = 1;\r\nconsole.log(a);\r\ntry { f(); } catch (e) {\r\n}\r\nvar b = 2;\r\n',
        'dir with space/ünï "q".go': 'package a\n\n// TODO later\nfunc b() {}\n',
        'lib.rs': 'fn main() {\n    dbg!(1);\n}',
        'index.php': '<?php\n<<<<<<< HEAD\nvar_dump($x);\n=======\n>>>>>>> other\n',
      },
    );

    expect(report).toMatchObject({ model: 'scripted', partial: null, changedFiles: 5, notRead: [] });
    expect(places(report).sort()).toEqual([
      'a.py:4-4 new Output for debugging is left in',
      'a.py:7-8 new A failure disappears here',
      'dir with space/ünï "q".go:3-3 new Work is left for later, and nobody is told',
      'index.php:2-2 new A merge conflict is committed',
      'index.php:3-3 new Output for debugging is left in',
      'lib.rs:2-2 new Output for debugging is left in',
      'src/windows.js:2-2 new Output for debugging is left in',
      'src/windows.js:3-4 new A failure disappears here',
    ]);
  });

  it('says the same of the same change', async () => {
    const first = await review({ 'a.js': 'a();\n' }, { 'a.js': 'a();\nconsole.log(1);\ndebugger;\n' });
    const again = await reviewSince(first.change.diffRefs.baseSha);

    expect(again).toEqual(first);
    expect(first.findings).toHaveLength(2);
  });

  it.each<[string, FileChanges, FileChanges]>([
    ['nothing to find', { 'a.txt': 'a\n' }, { 'a.txt': 'a\nb\n' }],
    ['deletions only', { 'a.js': 'verifyOwner(a);\n', 'b.js': 'b\n' }, { 'a.js': null }],
    ['an empty file', { 'a.js': 'a\n' }, { 'empty.js': '' }],
    ['no line end', { 'a.js': 'a' }, { 'a.js': 'b' }],
  ])('ends well with %s', async (_what, before, after) => {
    const report = await review(before, after);

    expect(report).toMatchObject({ partial: null, findings: [] });
    expect(report.overview).toContain('Nothing to report.');
  });

  it('ends well with more than anybody reads', async () => {
    const many = (text: string) =>
      Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`src/file-${String(index)}.js`, text]));
    const lines = Array.from({ length: 70 }, (_, line) => `const value${String(line)} = compute(${String(line)});\n`);
    const todos = 'work(); // TODO: more\n'.repeat(2000);

    const report = await review(many('a();\n'), {
      ...many(`a();\n${lines.join('')}console.log(value1);\n`),
      'src/todos.js': todos,
      'src/one-line.js': `const a = ${'1+'.repeat(100_000)}1;\n`,
    });

    expect(report.turns).toBeLessThan(30);
    expect(report.findings.length).toBeGreaterThan(50);
    expect(places(report).filter((place) => place.startsWith('src/todos.js')).length).toBeLessThanOrEqual(5);
    expect(report.partial === null || report.partial.code === null).toBe(true);
  });
});
