import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { aPlace, type Checkout, type Place, type Wanted } from './testing/test-checkout.ts';

async function refusal(checkout: Checkout, wanted: Wanted = {}): Promise<string> {
  const found = await checkout.find(wanted);
  if (found.kind !== 'refused') throw new Error(`was not refused: ${found.kind}`);
  const text = `${found.why} | ${found.hint}`;
  expect(text).not.toMatch(/\n|\bat \S+:\d+|Error:/);
  return text;
}

async function aHistory(place: Place, name?: string): Promise<Checkout> {
  const checkout = await place.checkout(name);
  for (const a of ['1\n', '2\n', '3\n']) await checkout.commit({ a });
  return checkout;
}

/** Two commits whose ids begin with the same four digits. */
function twoAlike(tree: string): { content: [string, string]; prefix: string } {
  const seen = new Map<string, string>();
  for (let index = 0; ; index += 1) {
    const content = `tree ${tree}\nauthor A <a@example.test> ${index} +0000\ncommitter A <a@example.test> 0 +0000\n\nx\n`;
    const prefix = createHash('sha1').update(`commit ${content.length}\0${content}`).digest('hex').slice(0, 4);
    const other = seen.get(prefix);
    if (other !== undefined) return { content: [other, content], prefix };
    seen.set(prefix, content);
  }
}

describe('findLocalChange refuses', () => {
  it('what is no repository, and one without commits', async () => {
    await using place = await aPlace();
    const folder = join(place.folder, 'plain');
    await mkdir(folder);
    const empty = await place.checkout('empty');

    expect(await refusal(place.at(folder))).toMatch(/is in no git repository.*git init/);
    await mkdir(join(place.folder, 'two\nlines'));

    expect(await refusal(place.at(join(place.folder, 'two\nlines')))).toMatch(/two lines is in no git repository/);
    expect(await refusal(place.at(join(place.folder, 'absent')))).toMatch(/There is no folder/);
    expect(await refusal(empty)).toMatch(/no commit yet.*--staged or --worktree/);
    expect(await refusal(empty, { base: 'main' })).toMatch(/no commit yet/);
    expect(await place.views()).toEqual([]);
  });

  it('a branch that nothing can be compared with', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    await checkout.git('branch', '--move', 'trunk');

    expect(await refusal(checkout)).toMatch(/no branch that trunk could be compared with.*--base HEAD~1.*--root/);
  });

  it('revisions that mean nothing, several things, or what git takes for an option', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    const asked: Record<string, RegExp> = {
      'no-such': /--base no-such is unknown here/,
      'origin/no': /fetch it if it is of a remote/,
      '': /no revision/,
      'a\0b': /no revision/,
      'HEAD~1..HEAD': /is a range.*--base and --head/,
      '^HEAD': /unknown/,
      '--all': /unknown/,
      '--upload-pack=touch x': /unknown/,
      '-n1': /unknown/,
      '--git-dir': /unknown/,
      'HEAD:a': /is no commit/,
      'HEAD:nothing': /unknown/,
      '@{upstream}': /unknown/,
      'HEAD~99': /unknown/,
      ['b'.repeat(40)]: /does not have it.*git fetch/,
      'two\nlines': /--base two lines is unknown/,
      ['x'.repeat(5_000_000)]: /no revision/,
    };
    for (const [base, expected] of Object.entries(asked)) expect(await refusal(checkout, { base })).toMatch(expected);
    expect(await refusal(checkout, { head: 'a\0b' })).toMatch(/no revision/);
    expect(await refusal(checkout, { head: 'x'.repeat(5_000_000) })).toMatch(/no revision/);
    expect(await refusal(checkout, { head: '--all' })).toMatch(/--head --all is unknown/);
    expect(await refusal(checkout, { head: 'HEAD^{tree}' })).toMatch(/is no commit/);
  });

  it('an abbreviation of several commits', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    const tree = await checkout.git('rev-parse', 'HEAD^{tree}');
    const { content, prefix } = twoAlike(tree);
    for (const text of content) {
      await checkout.write({ '.git/draft': text });
      await checkout.git('hash-object', '-t', 'commit', '-w', '.git/draft');
    }

    expect(await refusal(checkout, { base: prefix })).toMatch(/may mean several commits.*more digits/);
  });

  it('flags that contradict each other', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);

    expect(await refusal(checkout, { base: 'HEAD~1', isRoot: true })).toMatch(/contradict/);
    expect(await refusal(checkout, { head: 'HEAD~1', work: 'staged' })).toMatch(/--staged contradict/);
  });

  it('unrelated histories', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    await checkout.git('switch', '--quiet', '--orphan', 'other');
    await checkout.commit({ b: 'b\n' });

    expect(await refusal(checkout, { base: 'main' })).toMatch(/no commit in common.*--root/);
    expect(await refusal(checkout)).toMatch(/no commit in common.*--root/);
  });

  it('a shallow clone without the merge base', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    await checkout.git('switch', '--quiet', '--create', 'topic', 'main~1');
    await checkout.commit({ b: 'b\n' });
    const url = `file://${checkout.path}`;
    await place.git(place.folder, ['clone', '--quiet', '--depth=1', '--no-single-branch', url, 'shallow']);
    const shallow = place.at(join(place.folder, 'shallow'));
    const old = await checkout.git('rev-parse', 'main~2');
    await checkout.git('switch', '--quiet', 'main');
    await place.git(place.folder, ['clone', '--quiet', '--depth=1', '--branch=topic', url, 'alone']);
    const alone = place.at(join(place.folder, 'alone'));
    await alone.git('checkout', '--quiet', '--detach');

    const hint = /git fetch --unshallow.*GIT_DEPTH: 0.*fetch-depth: 0/;
    expect(await refusal(shallow, { base: 'origin/main' })).toMatch(/not in this shallow clone/);
    expect(await refusal(shallow, { base: 'origin/main' })).toMatch(hint);
    expect(await refusal(shallow, { base: old })).toMatch(hint);
    expect(await refusal(shallow, { base: 'HEAD~1' })).toMatch(hint);
    expect(await refusal(alone)).toMatch(/no branch that HEAD could be compared with/);
  });

  it('a merge with conflicts, naming the files', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    await checkout.git('switch', '--quiet', '--create', 'topic', 'main~1');
    await checkout.commit({ a: 'other\n' });
    await expect(checkout.git('merge', 'main')).rejects.toThrow();

    expect(await refusal(checkout, { work: 'staged' })).toMatch(/merge is not finished: a\./);
    expect(await refusal(checkout, { work: 'worktree' })).toMatch(/merge is not finished: a\./);
    expect((await checkout.find({ base: 'main' })).kind).toBe('found');
  });

  it('uncommitted work where there is no work tree', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    await place.git(place.folder, ['clone', '--quiet', '--bare', checkout.path, 'bare.git']);

    expect(await refusal(place.at(join(place.folder, 'bare.git')), { work: 'worktree' })).toMatch(/no work tree/);
    expect(await refusal(checkout, { cwd: join(checkout.path, '.git'), work: 'staged' })).toMatch(/no work tree/);
  });

  it('a partial clone that lacks files of the change', async () => {
    await using place = await aPlace();
    const origin = await aHistory(place, 'origin');
    await origin.git('config', 'uploadpack.allowFilter', 'true');
    await origin.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
    const url = `file://${origin.path}`;
    await place.git(place.folder, ['clone', '--quiet', '--filter=blob:none', url, 'blobless']);
    await place.git(place.folder, ['clone', '--quiet', '--filter=tree:0', url, 'treeless']);
    const [blobless, treeless] = [place.at(join(place.folder, 'blobless')), place.at(join(place.folder, 'treeless'))];

    expect(await refusal(blobless, { base: 'HEAD~1' })).toMatch(/Files .* partial clone.*git diff --stat/);
    expect(await refusal(treeless, { base: 'HEAD~1' })).toMatch(/Folders .* partial clone.*--filter=blob:none/);
    await treeless.git('fetch', '--quiet', '--refetch', '--filter=blob:none');
    expect(await refusal(treeless, { base: 'HEAD~1' })).toMatch(/Files .* partial clone.*--no-filter/);
    await treeless.git('fetch', '--quiet', '--refetch', '--no-filter');
    expect((await treeless.find({ base: 'HEAD~1' })).kind).toBe('found');
    await blobless.git('diff', '--stat', 'HEAD~1', 'HEAD');
    expect((await blobless.find({ base: 'HEAD~1' })).kind).toBe('found');
    await blobless.write({ a: '9\n' });
    expect((await blobless.find({ work: 'worktree' })).kind).toBe('found');
  });

  it('a repository that is broken', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    const head = await checkout.git('rev-parse', 'HEAD~1');
    const bad = await aHistory(place, 'bad');
    await bad.write({ '.git/config': '[core\n' });
    await rm(join(checkout.path, '.git/objects', head.slice(0, 2), head.slice(2)));
    const newer = await aHistory(place, 'newer');
    await newer.git('config', 'core.repositoryformatversion', '99');

    expect(await refusal(checkout, { base: 'HEAD~2' })).toMatch(/unknown|could not be read/);
    expect(await refusal(checkout, { isRoot: true })).toMatch(/could not be read.*git fsck/);
    expect(await refusal(bad)).toMatch(/could not read.*bad config/);
    expect(await refusal(newer)).toMatch(/could not read|is in no git repository/);
  });

  (process.getuid?.() === 0 ? it : it.skip)('a repository of another user', async () => {
    await using place = await aPlace();
    const checkout = await aHistory(place);
    await chown(checkout.path, 12_345, 12_345);
    await chown(join(checkout.path, '.git'), 12_345, 12_345);

    expect(await refusal(checkout, { base: 'HEAD~1' })).toMatch(/belongs to another user.*safe\.directory/);
    await place.git(place.folder, ['config', '--global', 'safe.directory', checkout.path]);
    expect((await checkout.find({ base: 'HEAD~1' })).kind).toBe('found');
  });
});
