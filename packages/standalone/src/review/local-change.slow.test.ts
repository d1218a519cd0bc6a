import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { readDiff } from '@drydock/git';
import { findLocalChange } from './local-change.ts';
import { aPlace, rawDiff } from './testing/test-checkout.ts';

const never = new AbortController().signal;

describe('findLocalChange of much', () => {
  it('finds ten thousand files, and a hundred thousand lines', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    const many = Array.from({ length: 10_000 }, (_, index) => [`d${index % 100}/f${index}`, `${index}\n`] as const);
    await checkout.write(Object.fromEntries(many));
    await using uncommitted = await checkout.found({ work: 'worktree' });
    await checkout.commit({}, 'Many');
    const long = Array.from({ length: 100_000 }, (_, index) => `line ${index}\n`).join('');
    await checkout.commit({ long }, `Long\n\n${'word '.repeat(20_000)}`);
    await using both = await checkout.found({ base: 'HEAD~2' });
    await using one = await checkout.found({ base: 'HEAD~1' });

    expect(await readDiff({ repo: uncommitted.repository, ...uncommitted.refs }, never)).toHaveLength(10_000);
    expect(await readDiff({ repo: both.repository, ...both.refs }, never)).toHaveLength(10_001);
    expect(one.description.length).toBeLessThan(10_100);
    expect(one.title).toBe('Long');
  });

  it('counts more commits than it describes', async () => {
    await using place = await aPlace();
    const checkout = await place.checkout();
    await checkout.commit({ a: 'a\n' });
    for (let index = 1; index <= 60; index += 1) await checkout.git('commit', '-q', '--allow-empty', '-m', `C${index}`);
    await checkout.commit({ b: 'b\n' }, 'Last');
    await using change = await checkout.found({ base: ':/Change' });

    expect(change.commits).toBe(61);
    expect(change.description).toMatch(/^\(11 earlier commits\)\n- C12\n.*\n- Last$/s);
  });

  it('shows of the newest commits of this repository what plain git shows', async () => {
    await using place = await aPlace();
    const root = join(import.meta.dirname, '../../../..');
    const listed = await place
      .git(root, ['-c', `safe.directory=${root}`, 'rev-list', '--max-count=30', '--parents', 'HEAD'])
      .catch(() => ''); // an archive of the sources is no repository
    const searchPath = '/usr/local/bin:/usr/bin:/bin';
    for (const row of listed.split('\n').filter(Boolean)) {
      const [head = '', parent] = row.split(' ');
      const wanted = { cwd: root, searchPath, base: parent ?? null, head, work: 'none', isRoot: parent === undefined };
      const found = await findLocalChange({ ...wanted, work: 'none' }, { tempDir: place.home }, never);
      if (found.kind === 'nothing') continue;
      if (found.kind === 'refused') throw new Error(found.why);
      await using change = found.change;
      const gitDir = change.scope;

      const { baseSha, headSha } = change.refs;
      expect(headSha).toBe(head);
      const shown = await rawDiff(place, change.repository.gitDir, baseSha, headSha);
      if (parent !== undefined) expect(shown).toBe(await rawDiff(place, gitDir, baseSha, headSha));
      const files = await readDiff({ repo: change.repository, ...change.refs }, never);
      expect(files.length).toBeGreaterThan(0);
    }
  });
});
