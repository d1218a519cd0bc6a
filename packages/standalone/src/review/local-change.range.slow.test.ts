import { describe, expect, it } from '@jest/globals';
import { mkdir, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectReader, readDiff } from '@drydock/git';
import type { LocalChange } from './local-change.ts';
import { aPlace, rawDiff, setExecutable, type Checkout, type Place } from './testing/test-checkout.ts';

const never = new AbortController().signal;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

/** The view must show what plain git shows in the repository itself, and our own reader must read it. */
async function filesOf(place: Place, checkout: Checkout, change: LocalChange): Promise<string[]> {
  const { repository, refs } = change;
  const gitDir = await checkout.git('rev-parse', '--absolute-git-dir');
  expect(await rawDiff(place, repository.gitDir, refs.baseSha, refs.headSha)).toBe(
    await rawDiff(place, gitDir, refs.baseSha, refs.headSha),
  );
  const files = await readDiff({ repo: repository, ...refs }, never);
  return files.map(({ status, newPath }) => `${status} ${newPath}`);
}

/** `main` pushed to a bare `origin.git`, a branch `feature` checked out on it. */
async function aClone(place: Place, files: Readonly<Record<string, string>> = { a: 'a\n' }) {
  await place.git(place.folder, ['init', '--quiet', '--bare', 'origin.git']);
  const checkout = await place.checkout();
  await checkout.git('remote', 'add', 'origin', '../origin.git');
  const base = await checkout.commit(files, 'Begin');
  await checkout.git('push', '--quiet', '--set-upstream', 'origin', 'main');
  await checkout.git('switch', '--quiet', '--create', 'feature/retry-of_calls');
  return { checkout, base };
}

describe('findLocalChange without a base', () => {
  it('compares a new branch with the default branch', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    const first = await checkout.commit({ b: 'b\n' }, 'Add b\n\nBecause of it.');
    const head = await checkout.commit({ b: 'c\n' }, 'Change b');
    await using change = await checkout.found();

    expect(change).toMatchObject({
      refs: { startSha: base, baseSha: base, headSha: head },
      ...{ commits: 2, author: 'A Author', sourceBranch: 'feature/retry-of_calls', targetBranch: 'main' },
      ...{ title: 'Feature: retry of calls', projectPath: 'checkout', rootDir: checkout.path },
      description: '- Add b\n\n  Because of it.\n- Change b',
      told: `feature/retry-of_calls: 2 commits since origin/main (${base.slice(0, 7)})`,
      scope: join(checkout.path, '.git'),
    });
    expect(await filesOf(place, checkout, change)).toEqual(['added b']);
    await using reader = new ObjectReader({ repo: change.repository });
    expect(await reader.describe(first, never)).toMatchObject({ type: 'commit' });
  });

  it('prefers what the branch follows, unless that has all of it', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    const pushed = await checkout.commit({ b: 'b\n' });
    await checkout.git('push', '--quiet', '--set-upstream', 'origin', 'HEAD:other');
    const head = await checkout.commit({ c: 'c\n' }, 'Add c');
    await using ahead = await checkout.found();
    await checkout.git('push', '--quiet', 'origin', 'HEAD:other');
    await using whole = await checkout.found();

    expect(ahead).toMatchObject({ refs: { baseSha: pushed, headSha: head }, title: 'Add c', targetBranch: 'other' });
    expect(ahead.told).toBe(`feature/retry-of_calls: 1 commit since origin/other (${pushed.slice(0, 7)})`);
    expect(whole).toMatchObject({ refs: { baseSha: base, headSha: head }, targetBranch: 'main' });
  });

  it('leaves out what a rebase or a merge brought from the default branch', async () => {
    await using place = await aPlace();
    const { checkout } = await aClone(place);
    await checkout.commit({ b: 'b\n' });
    await checkout.git('push', '--quiet', '--set-upstream', 'origin', 'HEAD');
    const pushed = await checkout.git('rev-parse', 'HEAD');
    await checkout.git('switch', '--quiet', 'main');
    const main = await checkout.commit({ theirs: 'x\n' });
    await checkout.git('push', '--quiet');
    await checkout.git('switch', '--quiet', '-');
    await checkout.git('merge', '--quiet', '-m', 'Merge', 'main');
    await using merged = await checkout.found();
    await checkout.git('reset', '--quiet', '--hard', pushed);
    await checkout.git('rebase', '--quiet', 'main');
    await using rebased = await checkout.found();

    for (const change of [merged, rebased]) {
      expect(change).toMatchObject({ refs: { startSha: main, baseSha: main }, targetBranch: 'main' });
      expect(await filesOf(place, checkout, change)).toEqual(['added b']);
    }
  });

  it('takes the head of the remote for its default branch', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    await checkout.git('push', '--quiet', 'origin', 'main:trunk');
    await place.git(place.folder, ['--git-dir=origin.git', 'config', 'receive.denyDeleteCurrent', 'ignore']);
    await checkout.git('push', '--quiet', 'origin', ':main');
    await checkout.git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/trunk');
    await checkout.commit({ b: 'b\n' });
    await using change = await checkout.found();

    expect(change).toMatchObject({ refs: { startSha: base }, targetBranch: 'trunk' });
  });

  it('starts at the merge base when the default branch went on', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    const head = await checkout.commit({ b: 'b\n' });
    await checkout.git('switch', '--quiet', 'main');
    const start = await checkout.commit({ a: 'z\n' });
    await checkout.git('push', '--quiet');
    await checkout.git('switch', '--quiet', '-');
    await using change = await checkout.found();

    expect(change.refs).toEqual({ startSha: start, baseSha: base, headSha: head });
    expect(await filesOf(place, checkout, change)).toEqual(['added b']);
  });

  it('finds the same from a folder below, a linked work tree and a detached head', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    const head = await checkout.commit({ 'some/folder/b': 'b\n' });
    await checkout.git('worktree', 'add', '--quiet', '--detach', '../linked', 'HEAD');
    const linked = place.at(join(place.folder, 'linked'));
    await using below = await checkout.found({ cwd: join(checkout.path, 'some/folder') });
    await using other = await linked.found();

    expect(below.refs).toEqual({ startSha: base, baseSha: base, headSha: head });
    expect(below.rootDir).toBe(checkout.path);
    expect(other.refs).toEqual(below.refs);
    expect(other).toMatchObject({ rootDir: linked.path, scope: below.scope, sourceBranch: 'HEAD' });
    expect(other.projectPath).toBe('checkout');
    expect(await filesOf(place, linked, other)).toEqual(['added some/folder/b']);
  });

  it('reviews the first commit of a repository as a whole', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const head = await checkout.commit({ a: 'a\n', b: 'b\n' }, 'Begin');
    await using change = await checkout.found();

    expect(change).toMatchObject({ refs: { headSha: head }, commits: 1, title: 'Begin' });
    expect(await readDiff({ repo: change.repository, ...change.refs }, never)).toHaveLength(2);
  });

  it('says so when there is nothing new', async () => {
    await using place = await aPlace();
    const { checkout } = await aClone(place);
    const pushed = await checkout.find();
    await checkout.commit();
    const empty = await checkout.find();
    const same = await checkout.find({ base: 'HEAD' });
    const alone = await place.checkout('alone');
    await alone.commit({ a: 'a\n' });
    await alone.commit({ a: 'b\n' });

    expect(pushed).toMatchObject({ kind: 'nothing', why: expect.stringMatching(/origin\/main.*--base HEAD~1/) });
    expect(empty).toMatchObject({ kind: 'nothing', why: expect.stringMatching(/change no file/) });
    expect(same).toMatchObject({ kind: 'nothing' });
    expect(await alone.find()).toMatchObject({ kind: 'nothing', why: expect.stringMatching(/--base HEAD~1.*--root/) });
    expect(await place.views()).toEqual([]);
  });

  it('tells the path of the remote without what is secret in its address', async () => {
    await using place = await aPlace();
    const { checkout } = await aClone(place);
    await checkout.commit({ b: 'b\n' });
    const paths: string[] = [];
    for (const url of ['https://user:secret@host.test/group/sub/project.git', 'git@host.test:group/project.git']) {
      await checkout.git('remote', 'set-url', 'origin', url);
      await using change = await checkout.found();
      paths.push(change.projectPath);
    }

    expect(paths).toEqual(['group/sub/project', 'group/project']);
  });

  it('gives its folder back when it is disposed of', async () => {
    await using place = await aPlace();
    const { checkout } = await aClone(place);
    await checkout.commit({ b: 'b\n' });
    const change = await checkout.found();
    const during = await place.views();
    const { mode } = await stat(join(change.repository.gitDir, '..'));
    await change[Symbol.asyncDispose]();

    expect(during).toHaveLength(1);
    expect(mode & 0o777).toBe(0o700);
    expect(await place.views()).toEqual([]);
  });
});

describe('findLocalChange of a range', () => {
  it('shows what plain git shows', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ moved: lines(1, 40), gone: 'gone\n', run: 'run\n', 'Case.txt': lines(1, 9), plain: 'x\n' });
    await checkout.commit({ 'binary.bin': Buffer.from([0, 1, 2, 255]) });
    await checkout.write({ moved: null, 'sub/renamed': lines(1, 39), gone: null, 'Case.txt': null });
    await checkout.write({ 'case.txt': lines(1, 9), 'binary.bin': Buffer.from([0, 3]), plain: null });
    await setExecutable(join(checkout.path, 'run'), true);
    await symlink('/etc/passwd', join(checkout.path, 'plain'));
    await checkout.commit({ ' spaced "näme"\n': 'x\n', 'crlf.txt': 'a\r\nb\r\n' });
    await using change = await checkout.found({ base: 'HEAD~1' });

    expect((await filesOf(place, checkout, change)).sort()).toEqual(
      [
        ...['added  spaced "näme"\n', 'added crlf.txt', 'modified binary.bin', 'type-changed plain', 'modified run'],
        ...['deleted gone', 'renamed case.txt', 'renamed sub/renamed'],
      ].sort(),
    );
  });

  it('takes any revision for its ends', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const one = await checkout.commit({ a: '1\n' }, 'One');
    const two = await checkout.commit({ a: '2\n' }, 'Two');
    const three = await checkout.commit({ a: '3\n' }, 'Three');
    await checkout.git('tag', '-a', '-m', 'x', 'v1', one);
    for (const base of ['v1', one, one.slice(0, 8), 'HEAD~2', ':/One', 'main@{2}', 'main^^']) {
      await using change = await checkout.found({ base });
      expect(change.refs).toEqual({ startSha: one, baseSha: one, headSha: three });
    }
    await using middle = await checkout.found({ base: one, head: 'main~' });
    await using whole = await checkout.found({ isRoot: true });
    await using tree = await checkout.found({ base: `${one}^{tree}` });

    expect(middle.refs).toEqual({ startSha: one, baseSha: one, headSha: two });
    expect(whole).toMatchObject({ commits: 3, refs: { headSha: three } });
    expect(whole.told).toMatch(/^main: 3 commits since the beginning/);
    expect(await readDiff({ repo: tree.repository, ...tree.refs }, never)).toHaveLength(1);
    expect(tree).toMatchObject({ commits: null, description: '', author: 'A Author', title: 'Changes on main' });
    expect(tree.told).toMatch(/^main: changes since [0-9a-f]{40}\^\{tree\} /);
    expect(middle).toMatchObject({ title: 'Two', targetBranch: one.slice(0, 7) });
    expect(middle.told).toBe(`main~: 1 commit since ${one.slice(0, 7)}`);
  });

  it('follows merges, octopus merges and criss-cross merges', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    for (const name of ['one', 'two', 'three']) {
      await checkout.git('switch', '--quiet', '--create', name, 'main');
      await checkout.commit({ [name]: `${name}\n` });
    }
    await checkout.git('merge', '--quiet', '-m', 'Octopus', 'one', 'two');
    await using octopus = await checkout.found();
    await checkout.git('switch', '--quiet', '--create', 'left', 'one');
    await checkout.git('merge', '--quiet', '-m', 'Left', 'two');
    await checkout.git('switch', '--quiet', '--create', 'right', 'two');
    await checkout.git('merge', '--quiet', '-m', 'Right', 'one');
    await checkout.commit({ right: 'right\n' });
    await using crossed = await checkout.found({ base: 'left' });
    await using again = await checkout.found({ base: 'left' });

    expect(octopus).toMatchObject({ refs: { baseSha: base }, commits: 4 });
    expect(await filesOf(place, checkout, octopus)).toEqual(['added one', 'added three', 'added two']);
    expect(crossed.refs.baseSha).toBe(await checkout.git('merge-base', 'left', 'HEAD'));
    expect(again.refs).toEqual(crossed.refs);
    await filesOf(place, checkout, crossed);
  });

  it('reads bare repositories, SHA-256, and paths that need quoting', async () => {
    await using place = await aPlace();
    for (const [name, options] of [
      ['plain', []],
      ['long', ['--object-format=sha256']],
      [' odd "näme" \\ #1\nx:y', []],
      ['"quoted"', []],
    ] as const) {
      const checkout = await place.checkout(name, options);
      const base = await checkout.commit({ a: 'a\n' });
      const head = await checkout.commit({ b: 'b\n' });
      await using change = await checkout.found({ base: 'HEAD~1', cwd: checkout.path });
      await place.git(place.folder, ['clone', '--quiet', '--bare', checkout.path, `${name}.git`]);
      const bare = place.at(join(place.folder, `${name}.git`));
      await using bareChange = await bare.found({ base: 'main~1', head: 'main' });
      await using uncommitted = await checkout.write({ a: 'c\n' }).then(() => checkout.found({ work: 'worktree' }));

      expect(change.refs).toEqual({ startSha: base, baseSha: base, headSha: head });
      expect(await filesOf(place, checkout, change)).toEqual(['added b']);
      expect(bareChange).toMatchObject({ refs: change.refs, rootDir: bare.path });
      expect(bareChange.projectPath).not.toContain('.git');
      expect(await filesOf(place, bare, bareChange)).toEqual(['added b']);
      expect(await readDiff({ repo: uncommitted.repository, ...uncommitted.refs }, never)).toHaveLength(1);
    }
  });

  it('looks into alternates of alternates, named relatively too', async () => {
    await using place = await aPlace();
    const first = await place.checkout('one');
    const base = await first.commit({ a: 'a\n' });
    for (const [from, to] of [
      ...[['one', 'two'] as const, ['two', 'three'] as const, ['three', 'four'] as const],
      ...[['four', 'five'] as const, ['five', 'six'] as const, ['six', 'seven'] as const],
    ]) {
      await place.git(place.folder, ['clone', '--quiet', '--shared', from, to]);
    }
    const six = place.at(join(place.folder, 'six'));
    await six.write({ '.git/objects/info/alternates': '../../../five/.git/objects\n' });
    const head = await six.commit({ b: 'b\n' });
    await using change = await six.found();

    expect(change.refs).toEqual({ startSha: base, baseSha: base, headSha: head });
    expect(await filesOf(place, six, change)).toEqual(['added b']);
  });

  it('finds what is being pushed, from a hook of the server', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const base = await checkout.commit({ a: 'a\n' });
    await place.git(place.folder, ['clone', '--quiet', '--bare', checkout.path, 'server.git']);
    const server = join(place.folder, 'server.git');
    const quarantine = join(server, 'objects/tmp_objdir-incoming-x');
    await mkdir(quarantine);
    const environment = {
      ...{ HOME: place.home, GIT_DIR: '.', GIT_QUARANTINE_PATH: quarantine, GIT_OBJECT_DIRECTORY: quarantine },
      GIT_ALTERNATE_OBJECT_DIRECTORIES: join(server, 'objects'),
    };
    const args = ['commit-tree', '-p', 'main', '-m', 'Pushed', '4b825dc642cb6eb9a060e54bf8d69288fbee4904'];
    await place.git(server, ['hash-object', '-t', 'tree', '-w', '/dev/null'], environment);
    const head = await place.git(server, args, environment);
    await using change = await place.at(server).found({ base: 'main', head, environment });

    expect(change).toMatchObject({ refs: { baseSha: base, headSha: head }, title: 'Pushed', scope: server });
    expect(await readDiff({ repo: change.repository, ...change.refs }, never)).toMatchObject([{ status: 'deleted' }]);
  });

  it('shows a submodule as its commit, and reviews within it', async () => {
    await using place = await aPlace();
    const inner = await place.checkout('inner');
    await inner.commit({ a: 'a\n' });
    const { checkout } = await aClone(place);
    await checkout.git('submodule', '--quiet', 'add', '../inner', 'lib');
    await checkout.commit({}, 'Add lib');
    const lib = place.at(join(checkout.path, 'lib'));
    await lib.git('switch', '--quiet', '--create', 'change');
    const head = await lib.commit({ b: 'b\n' });
    await using outside = await checkout.found();
    await using inside = await lib.found();
    await using uncommitted = await checkout.found({ work: 'worktree' });

    expect(await filesOf(place, checkout, outside)).toEqual(['added .gitmodules', 'added lib']);
    expect(inside).toMatchObject({ refs: { headSha: head }, rootDir: lib.path });
    expect(inside.scope).toBe(join(checkout.path, '.git/modules/lib'));
    expect(await filesOf(place, lib, inside)).toEqual(['added b']);
    expect(await readDiff({ repo: uncommitted.repository, ...uncommitted.refs }, never)).toMatchObject([
      { newPath: 'lib' },
    ]);
  });

  it('sees through replaced objects and grafts', async () => {
    await using place = await aPlace();
    const { checkout, base } = await aClone(place);
    const middle = await checkout.commit({ b: 'b\n' });
    const head = await checkout.commit({ c: 'c\n' });
    await checkout.git('replace', '--graft', head, base);
    await checkout.write({ '.git/info/grafts': `${head}\n` });
    await using change = await checkout.found();

    expect(change).toMatchObject({ refs: { baseSha: base, headSha: head }, commits: 2 });
    await using reader = new ObjectReader({ repo: change.repository });
    const commit = await reader.read(head, { maxBytes: 10_000, signal: never });
    expect(commit.kind === 'found' ? commit.content.toString() : '').toContain(`parent ${middle}`);
  });

  it('works in a shallow clone that has the merge base', async () => {
    await using place = await aPlace();
    const { checkout } = await aClone(place);
    await checkout.git('switch', '--quiet', 'main');
    for (const a of ['1', '2', '3']) await checkout.commit({ a });
    await checkout.git('push', '--quiet');
    const url = `file://${join(place.folder, 'origin.git')}`;
    await place.git(place.folder, ['clone', '--quiet', '--depth=2', url, 'shallow']);
    const shallow = place.at(join(place.folder, 'shallow'));
    await shallow.git('switch', '--quiet', '--create', 'topic');
    const head = await shallow.commit({ topic: 't\n' });
    await using change = await shallow.found();

    expect(change).toMatchObject({ refs: { headSha: head }, commits: 1, targetBranch: 'main' });
    expect(await filesOf(place, shallow, change)).toEqual(['added topic']);
  });
});
