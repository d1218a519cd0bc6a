import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@drydock/core';
import type { ReviewEnd, ReviewSubject } from './review-settings.ts';
import { runReview } from './run-review.ts';
import { aPlace, setExecutable, type Checkout, type Place } from './testing/test-checkout.ts';
import { testReviewSettings } from './testing/test-settings.ts';

type Local = Extract<ReviewSubject, { kind: 'local' }>['wanted'];

/** A line that the scripted reviewer finds wherever it stands, and one that it has nothing to say about. */
const bad = 'eval(request.body.code);\n';
const good = 'export const answer = 42;\n';
const padding = Array.from({ length: 30 }, (_, index) => `export const value${String(index)} = ${String(index)};\n`);

interface Range {
  /** Makes the repository; answers what to review of it. */
  readonly make: (place: Place, checkout: Checkout) => Promise<Partial<Local>>;
  /** `path:line` of what is found, in any order; or how it ends instead. */
  readonly expected: readonly string[] | { readonly kind: 'refused' | 'nothing'; readonly says: RegExp };
  readonly changedFiles?: number;
}

const ranges: Readonly<Record<string, Range>> = {
  'a rename with a change in it': {
    async make(_, checkout) {
      await checkout.commit({ 'old.js': padding.join('') });
      await checkout.commit({
        'old.js': null,
        'new.js': [...padding.slice(0, 15), bad, ...padding.slice(15)].join(''),
      });
      return { base: 'HEAD~1' };
    },
    expected: ['new.js:16'],
    changedFiles: 1,
  },
  'a huge change': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      const files = Array.from(
        { length: 1500 },
        (_unused, index) => [`gen/${String(index)}.js`, good.repeat(20)] as const,
      );
      await checkout.commit({ ...Object.fromEntries(files), 'a.js': good + bad });
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:2'],
    changedFiles: 1501,
  },
  'binary files': {
    async make(_, checkout) {
      await checkout.commit({ 'logo.png': Buffer.from([0x89, 0x50, 0, 1, 2]) });
      await checkout.commit({
        'logo.png': Buffer.from([0x89, 0x50, 0, 3]),
        'data.bin': Buffer.alloc(70_000),
        'a.js': bad,
      });
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:1'],
    changedFiles: 3,
  },
  'merge commits': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.git('switch', '--quiet', '--create', 'topic');
      await checkout.commit({ 'b.js': bad });
      await checkout.git('switch', '--quiet', 'main');
      await checkout.commit({ 'c.js': bad });
      await checkout.git('switch', '--quiet', 'topic');
      await checkout.git('merge', '--quiet', '-m', 'Merge main', 'main');
      return { base: 'main' };
    },
    expected: ['b.js:1'], // not what main brought
    changedFiles: 1,
  },
  'the first commit': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': bad });
      return {};
    },
    expected: ['a.js:1'],
  },
  'everything that a branch holds': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.commit({ 'b.js': bad });
      return { isRoot: true };
    },
    expected: ['b.js:1'],
    changedFiles: 2,
  },
  'a detached head': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.commit({ 'a.js': bad });
      await checkout.git('checkout', '--quiet', '--detach');
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:1'],
  },
  'a shallow clone with the base': {
    async make(place, checkout) {
      for (const text of ['1\n', '2\n', '3\n']) await checkout.commit({ 'n.txt': text });
      await place.git(place.folder, ['clone', '--quiet', '--depth=1', `file://${checkout.path}`, 'shallow-with']);
      const clone = place.at(join(place.folder, 'shallow-with'));
      await clone.git('switch', '--quiet', '--create', 'topic');
      await clone.commit({ 'a.js': bad });
      return { cwd: clone.path };
    },
    expected: ['a.js:1'],
  },
  'a shallow clone without the base': {
    async make(place, checkout) {
      await checkout.commit({ 'n.txt': '1\n' });
      await checkout.git('switch', '--quiet', '--create', 'topic');
      await checkout.commit({ 'a.js': bad });
      await checkout.git('switch', '--quiet', 'main');
      await checkout.commit({ 'n.txt': '2\n' });
      const clone = [
        'clone',
        '--quiet',
        '--depth=1',
        '--no-single-branch',
        `file://${checkout.path}`,
        'shallow-without',
      ];
      await place.git(place.folder, clone);
      return { cwd: join(place.folder, 'shallow-without'), base: 'origin/main', head: 'origin/topic' };
    },
    expected: { kind: 'refused', says: /shallow[^]*--unshallow/ },
  },
  'a submodule': {
    async make(place, checkout) {
      const inner = await place.checkout('inner');
      await inner.commit({ 'lib.js': good });
      await checkout.commit({ 'a.js': good });
      await checkout.git('submodule', '--quiet', 'add', '../inner', 'lib');
      await checkout.commit({ 'a.js': bad });
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:1'],
    changedFiles: 3,
  },
  'a linked work tree': {
    async make(place, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.git('worktree', 'add', '--quiet', '-b', 'topic', '../linked');
      const linked = place.at(join(place.folder, 'linked'));
      await linked.commit({ 'a.js': bad });
      return { cwd: linked.path };
    },
    expected: ['a.js:1'],
  },
  'Windows line ends': {
    async make(_, checkout) {
      await checkout.git('config', 'core.autocrlf', 'false');
      await checkout.commit({ 'a.js': 'one();\r\ntwo();\r\n' });
      await checkout.commit({ 'a.js': `one();\r\n${bad.replace('\n', '\r\n')}two();\r\n` });
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:2'],
  },
  'paths with spaces, quotes and Unicode': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.commit({ 'ein "schöner" Ördner/é 日本.js': bad, "it's.js": bad, '-dash.js': bad });
      return { base: 'HEAD~1' };
    },
    expected: ['ein "schöner" Ördner/é 日本.js:1', "it's.js:1", '-dash.js:1'],
  },
  'what is staged': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.write({ 'a.js': good + bad });
      await checkout.git('add', 'a.js');
      await checkout.write({ 'b.js': bad });
      return { work: 'staged' };
    },
    expected: ['a.js:2'],
  },
  'what is not committed': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good, '.gitignore': '*.log\n' });
      await checkout.write({ 'a.js': good + bad, 'new.js': bad, 'x.log': bad });
      return { work: 'worktree' };
    },
    expected: ['a.js:2', 'new.js:1'],
  },
  'deleted files and modes': {
    async make(_, checkout) {
      await checkout.commit({ 'gone.js': bad, 'run.sh': 'echo\n', 'a.js': good });
      await checkout.write({ 'gone.js': null, 'a.js': bad });
      await setExecutable(join(checkout.path, 'run.sh'), true);
      await checkout.git('commit', '--quiet', '-am', 'Tidy');
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:1'],
    changedFiles: 3,
  },
  'links out of the repository': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await symlink('/etc/passwd', join(checkout.path, 'passwd'));
      await checkout.commit({ 'a.js': bad });
      return { base: 'HEAD~1' };
    },
    expected: ['a.js:1'],
    changedFiles: 2,
  },
  'a bare repository of SHA-256': {
    async make(place) {
      const checkout = await place.checkout('sha256', ['--object-format=sha256']);
      await checkout.commit({ 'a.js': good });
      await checkout.commit({ 'a.js': bad });
      await place.git(place.folder, ['clone', '--quiet', '--bare', checkout.path, 'sha256.git']);
      return { cwd: join(place.folder, 'sha256.git'), base: 'main~1', head: 'main' };
    },
    expected: ['a.js:1'],
  },
  'a partial clone, with an unchanged file that is not there': {
    async make(place, checkout) {
      await checkout.git('config', 'uploadpack.allowFilter', 'true');
      await checkout.commit({ 'other.js': 'export function answer() {}\n', 'a.js': good });
      await checkout.commit({ 'a.js': bad });
      await place.git(place.folder, ['clone', '--quiet', '--filter=blob:none', `file://${checkout.path}`, 'partial']);
      const clone = place.at(join(place.folder, 'partial'));
      await clone.git('diff', '--stat', 'HEAD~1', 'HEAD'); // brings the changed ones
      return { cwd: clone.path, base: 'HEAD~1' };
    },
    expected: ['a.js:1'],
  },
  'unrelated histories': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.git('switch', '--quiet', '--orphan', 'other');
      await checkout.commit({ 'b.js': bad });
      return { base: 'main' };
    },
    expected: { kind: 'refused', says: /--root/ },
  },
  'an unfinished merge': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': good });
      await checkout.git('switch', '--quiet', '--create', 'topic');
      await checkout.commit({ 'a.js': bad });
      await checkout.git('switch', '--quiet', 'main');
      await checkout.commit({ 'a.js': 'other();\n' });
      await checkout.git('merge', 'topic').catch(() => undefined);
      return { work: 'worktree' };
    },
    expected: { kind: 'refused', says: /a\.js/ },
  },
  'no repository': {
    async make(place) {
      await writeFile(join(place.home, 'a.js'), bad);
      return { cwd: place.home };
    },
    expected: { kind: 'refused', says: /no git repository/ },
  },
  'nothing new': {
    async make(_, checkout) {
      await checkout.commit({ 'a.js': bad });
      return { base: 'main' };
    },
    expected: { kind: 'nothing', says: /no commits/ },
  },
};

describe('runReview of ranges as repositories have them', () => {
  let place: Place;

  beforeAll(async () => {
    place = await aPlace();
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
  });

  async function play(wanted: Partial<Local>, cwd: string): Promise<ReviewEnd> {
    return runReview(
      testReviewSettings(join(place.folder, '..', 'tmp'), {
        subject: { kind: 'local', wanted: { cwd, base: null, head: null, work: 'none', isRoot: false, ...wanted } },
        environment: { HOME: place.home },
      }),
      { clock: systemClock, mayPost: null, signal: new AbortController().signal, onProgress: () => undefined },
    );
  }

  it.each(Object.entries(ranges))('%s', async (name, { make, expected, changedFiles }) => {
    const checkout = await place.checkout(name.replace(/\W+/g, '-'));
    const wanted = await make(place, checkout);

    const end = await play(wanted, checkout.path);

    if ('says' in expected) {
      expect(end.kind).toBe(expected.kind);
      expect(JSON.stringify(end)).toMatch(expected.says);
      return;
    }
    if (end.kind !== 'reviewed') throw new Error(`it ended as ${JSON.stringify(end)}`);
    const { findings } = end.report;
    const evals = findings.filter(({ title }) => title === 'Input is run as code');
    expect(evals.map(({ path, startLine }) => `${path}:${String(startLine)}`).sort()).toEqual([...expected].sort());
    if (changedFiles !== undefined) expect(end.report.changedFiles).toBe(changedFiles);
  });
});
