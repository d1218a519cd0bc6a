import { describe, expect, it } from '@jest/globals';
import { access, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectReader, readDiff } from '@drydock/git';
import type { LocalChange } from './local-change.ts';
import { aPlace, setExecutable, type Checkout } from './testing/test-checkout.ts';

const never = new AbortController().signal;

async function filesOf({ repository, refs }: LocalChange): Promise<string[]> {
  const files = await readDiff({ repo: repository, ...refs }, never);
  return files.map(({ status, newPath }) => `${status} ${newPath}`);
}

async function contentOf({ repository, refs }: LocalChange, path: string): Promise<string | null> {
  await using reader = new ObjectReader({ repo: repository });
  const read = await reader.read({ revision: refs.headSha, path }, { maxBytes: 100_000, signal: never });
  return read.kind === 'found' ? read.content.toString('latin1') : null;
}

/** The tree that a change ends at must be the one that git itself would commit. */
async function expectWhatGitAdds(checkout: Checkout, change: LocalChange): Promise<void> {
  await using reader = new ObjectReader({ repo: change.repository });
  const commit = await reader.read(change.refs.headSha, { maxBytes: 10_000, signal: never });
  await checkout.git('add', '--all');
  const tree = await checkout.git('write-tree');
  expect(commit.kind === 'found' ? commit.content.toString() : '').toContain(`tree ${tree}\n`);
}

describe('findLocalChange of uncommitted work', () => {
  it('parts what is staged from what is in the work tree', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const head = await checkout.commit({ a: 'a\n', gone: 'gone\n', '.gitignore': '*.log\n' });
    await checkout.write({ a: 'staged\n' });
    await checkout.git('add', 'a');
    await checkout.write({ a: 'later\n', 'new.txt': 'new\n', 'debug.log': 'ignored\n', gone: null });
    await using staged = await checkout.found({ work: 'staged' });
    await using whole = await checkout.found({ work: 'worktree', cwd: checkout.path });

    expect(staged.refs).toMatchObject({ startSha: head, baseSha: head });
    expect(await filesOf(staged)).toEqual(['modified a']);
    expect(await contentOf(staged, 'a')).toBe('staged\n');
    expect(staged).toMatchObject({ title: 'Staged changes', author: 'local', commits: 0, sourceBranch: 'main' });
    expect(staged.told).toBe(`main: staged changes since the last commit (${head.slice(0, 7)})`);
    expect(await filesOf(whole)).toEqual(['modified a', 'deleted gone', 'added new.txt']);
    expect(await contentOf(whole, 'a')).toBe('later\n');
    await expectWhatGitAdds(checkout, whole);
  });

  it('gives the same content the same commit', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    await checkout.write({ a: 'b\n' });
    await using first = await checkout.found({ work: 'worktree' });
    await utimes(join(checkout.path, 'a'), 1, 1);
    await checkout.git('config', 'user.name', 'Somebody Else');
    await using second = await checkout.found({ work: 'worktree' });
    await checkout.git('add', 'a');
    await using staged = await checkout.found({ work: 'staged' });

    expect(second.refs).toEqual(first.refs);
    expect(staged.refs).toEqual(first.refs);
  });

  it('sees a change of the same size within the tick that the index was written in', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'one\n' });
    for (const content of ['two\n', 'six\n', 'ten\n', 'one\n']) {
      await checkout.git('add', 'a');
      await writeFile(join(checkout.path, 'a'), content);
      const found = await checkout.find({ work: 'worktree' });
      if (content === 'one\n') expect(found.kind).toBe('nothing');
      else if (found.kind === 'found') expect(await contentOf(found.change, 'a')).toBe(content);
      else throw new Error(found.why);
    }
  });

  it('puts it on top of a base', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const base = await checkout.commit({ a: 'a\n' });
    const head = await checkout.commit({ b: 'b\n' }, 'Add b');
    await using clean = await checkout.found({ work: 'worktree', base });
    await checkout.write({ c: 'c\n' });
    await using dirty = await checkout.found({ work: 'worktree', base });

    expect(clean.refs).toEqual({ startSha: base, baseSha: base, headSha: head });
    expect(clean).toMatchObject({ title: 'Add b', author: 'A Author' });
    expect(dirty).toMatchObject({ commits: 1, description: '', refs: { baseSha: base } });
    expect(dirty.told).toContain('main: 1 commit and uncommitted changes since');
    expect(await filesOf(dirty)).toEqual(['added b', 'added c']);
  });

  it('works before the first commit', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const empty = await checkout.find({ work: 'staged' });
    await checkout.write({ a: 'a\n', b: 'b\n' });
    await checkout.git('add', 'a');
    await using staged = await checkout.found({ work: 'staged' });
    await using whole = await checkout.found({ work: 'worktree' });

    expect(empty.kind).toBe('nothing');
    expect(await filesOf(staged)).toEqual(['added a']);
    expect(await filesOf(whole)).toEqual(['added a', 'added b']);
    expect(whole.sourceBranch).toBe('main');
  });

  it('says so when nothing is uncommitted', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    await checkout.write({ b: 'b\n' });

    expect(await checkout.find({ work: 'staged' })).toMatchObject({
      kind: 'nothing',
      why: expect.stringMatching(/git add/),
    });
    await checkout.write({ b: null });
    expect(await checkout.find({ work: 'worktree' })).toMatchObject({ kind: 'nothing' });
  });

  it('applies line ends as git add would', async () => {
    await using place = await aPlace();
    await place.git(place.folder, ['config', '--global', 'core.autocrlf', 'true']);
    const checkout = await place.checkout();
    await checkout.commit({
      'a.txt': 'a\r\nb\r\n',
      'b.bat': 'x\r\n',
      '.gitattributes': '*.bat eol=crlf\n*.raw -text\n',
    });
    await checkout.git('config', 'core.safecrlf', 'true');
    const clean = await checkout.find({ work: 'worktree' });
    await checkout.write({
      'a.txt': 'a\r\nc\r\n',
      'b.bat': 'x\r\ny\r\n',
      'c.raw': 'x\r\n',
      'd.txt': 'mixed\r\nends\n',
    });
    await using change = await checkout.found({ work: 'worktree' });

    expect(clean.kind).toBe('nothing');
    expect(await contentOf(change, 'a.txt')).toBe('a\nc\n');
    expect(await contentOf(change, 'b.bat')).toBe('x\ny\n');
    expect(await contentOf(change, 'c.raw')).toBe('x\r\n');
    await checkout.git('config', 'core.safecrlf', 'false');
    await expectWhatGitAdds(checkout, change);
  });

  it('applies the filters of the user, and stores what they store elsewhere', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    const clean = `git config lfs.storage >/dev/null && sed -e 's/^/pointer to /'`;
    await checkout.git('config', 'filter.lfs.clean', clean);
    await checkout.git('config', 'filter.lfs.required', 'true');
    await checkout.commit({ a: 'a\n', '.gitattributes': '*.big filter=lfs\n' });
    await checkout.write({ 'x.big': 'large\n' });
    await using change = await checkout.found({ work: 'worktree' });

    expect(await contentOf(change, 'x.big')).toBe('pointer to large\n');
  });

  it('leaves nothing behind when it is given up', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    await checkout.git('config', 'filter.slow.clean', 'sleep 60; cat');
    await checkout.write({ '.gitattributes': 'b filter=slow\n', b: 'b\n', c: 'c\n' });
    const signal = AbortSignal.timeout(300);

    await expect(checkout.find({ work: 'worktree', signal })).rejects.toMatchObject({ code: 'aborted' });
    expect(await place.views()).toEqual([]);
  });

  it('runs no hook and no file monitor', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    const trap = join(place.folder, 'trap');
    await writeFile(trap, `#!/bin/sh\necho "$0" >>'${place.folder}/sprung'\n`);
    await setExecutable(trap, true);
    await mkdir(join(checkout.path, '.git/hooks'));
    for (const hook of ['post-index-change', 'pre-commit', 'fsmonitor-watchman', 'reference-transaction']) {
      await symlink(trap, join(checkout.path, '.git/hooks', hook));
    }
    await checkout.git('config', 'core.splitIndex', 'true');
    await checkout.git('config', 'core.untrackedCache', 'true');
    await checkout.git('update-index', '--split-index', '--untracked-cache');
    await checkout.write({ a: 'b\n', c: 'c\n' });
    for (const [name, value] of Object.entries({
      ...{ 'core.fsmonitor': trap, 'core.sshCommand': trap, 'credential.helper': `!${trap}`, 'core.pager': trap },
      ...{ 'core.askPass': trap, 'core.alternateRefsCommand': trap, 'diff.external': trap, 'core.editor': trap },
      ...{ 'gpg.program': trap, 'log.showSignature': 'true', 'uploadpack.packObjectsHook': trap },
    })) {
      await checkout.git('config', name, value);
    }
    await rm(join(place.folder, 'sprung'), { force: true });
    await using change = await checkout.found({ work: 'worktree' });

    expect(await filesOf(change)).toEqual(['modified a', 'added c']);
    await expect(access(join(place.folder, 'sprung'))).rejects.toThrow('ENOENT');
  });

  it('takes links, modes, renames, nested repositories and names of any kind', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ run: 'run\n', link: 'was a file\n', 'Name.txt': '1\n2\n3\n4\n', '-option': 'x\n' });
    await setExecutable(join(checkout.path, 'run'), true);
    await checkout.write({ link: null, 'Name.txt': null, 'name.txt': '1\n2\n3\n4\n', ':(top)': 'x\n', 'ä"\n': 'x\n' });
    await symlink('/etc/passwd', join(checkout.path, 'link'));
    const nested = await place.checkout('checkout/nested');
    await nested.commit({ a: 'a\n' });
    await mkdir(join(checkout.path, 'empty'));
    await using change = await checkout.found({ work: 'worktree' });

    expect((await filesOf(change)).sort()).toEqual(
      [
        ...['added :(top)', 'added nested', 'added ä"\n', 'modified run', 'type-changed link', 'renamed name.txt'],
      ].sort(),
    );
    await expectWhatGitAdds(checkout, change);
  });

  it('leaves out what git cannot add, and says so', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    await checkout.write({ b: 'b\n' });
    await place.checkout('checkout/unborn');
    await checkout.write({ 'unborn/x': 'x\n' });
    await using change = await checkout.found({ work: 'worktree' });

    expect(await filesOf(change)).toEqual(['added b']);
    expect(change.told).toMatch(/left out what git could not add: .*unborn/);
  });

  it('takes the index that git gives to a hook', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    await checkout.write({ a: 'b\n', c: 'c\n' });
    const index = join(checkout.path, '.git/next-index');
    await place.git(checkout.path, ['add', 'c'], { GIT_INDEX_FILE: index });
    await using change = await checkout.found({
      work: 'staged',
      environment: { HOME: place.home, GIT_DIR: '.git', GIT_INDEX_FILE: '.git/next-index' },
    });

    expect(await filesOf(change)).toContain('added c');
  });

  it('works in a linked work tree and in one that is parted from its repository', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    await checkout.git('worktree', 'add', '--quiet', '../linked');
    const linked = place.at(join(place.folder, 'linked'));
    await linked.write({ b: 'b\n' });
    await using linkedChange = await linked.found({ work: 'worktree' });
    const parted = await place.checkout('parted', ['--separate-git-dir=parted-store']);
    await parted.commit({ a: 'a\n' });
    await parted.write({ a: 'b\n' });
    await using partedChange = await parted.found({ work: 'worktree' });

    expect(await filesOf(linkedChange)).toEqual(['added b']);
    expect(linkedChange).toMatchObject({ sourceBranch: 'linked', scope: join(checkout.path, '.git') });
    expect(await filesOf(partedChange)).toEqual(['modified a']);
  });
});
