import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fetchCommits, fetchedCommit, fetchObjects, initRepository, listDiff, readDiff } from '@drydock/git';
import type { LocalChange } from './local-change.ts';
import { aPlace, type Place } from './testing/test-checkout.ts';

const never = new AbortController().signal;

/** Fetches as an agent does, and reads the change there. */
async function fetched(place: Place, { repository, refs }: LocalChange): Promise<string[]> {
  const { searchPath } = repository;
  const repo = { gitDir: join(place.home, `fetched-${refs.headSha}.git`), searchPath };
  await initRepository({ repo, objectFormat: refs.headSha.length === 64 ? 'sha256' : 'sha1' }, never);
  const network = { url: pathToFileURL(repository.gitDir).href, configFile: null, allowFile: true };
  await place.git(place.folder, ['--git-dir', repository.gitDir, 'config', 'uploadpack.allowFilter', 'true']);
  await fetchCommits({ repo, network, wants: [...new Set(Object.values(refs))], depth: 100 }, never);
  for (const sha of Object.values(refs)) expect(await fetchedCommit(repo, sha, never)).toBe(sha);
  const { blobs } = await listDiff({ repo, ...refs }, never);
  await fetchObjects({ repo, network, oids: blobs }, never);
  const files = await readDiff({ repo, ...refs }, never);
  expect(files).toEqual(await readDiff({ repo: repository, ...refs }, never));
  return files.map(({ status, newPath }) => `${status} ${newPath}`);
}

describe('the view of a local change', () => {
  it('can be fetched from, synthetic commits too', async () => {
    await using place = await aPlace();
    for (const options of [[], ['--object-format=sha256']]) {
      const checkout = await place.checkout(`served${String(options.length)}`, options);
      await checkout.commit({ a: 'a\n' });
      await checkout.commit({ b: 'b\n' });
      await using range = await checkout.found({ base: 'HEAD~1' });
      await using whole = await checkout.found({ isRoot: true, head: 'HEAD~1' });
      await checkout.write({ c: 'c\n' });
      await using uncommitted = await checkout.found({ work: 'worktree' });
      await using both = await checkout.found({ work: 'worktree', isRoot: true });

      expect(await fetched(place, range)).toEqual(['added b']);
      expect(await fetched(place, whole)).toEqual(['added a']);
      expect(await fetched(place, uncommitted)).toEqual(['added c']);
      expect(await fetched(place, both)).toEqual(['added a', 'added b', 'added c']);
    }
  });

  it('can be fetched from when the clone is shallow, or partial, or its path is odd', async () => {
    await using place = await aPlace();
    const origin = await place.checkout('origin');
    await origin.git('config', 'uploadpack.allowFilter', 'true');
    for (const a of ['1\n', '2\n', '3\n']) await origin.commit({ a });
    const url = pathToFileURL(origin.path).href;
    const names: string[] = [];
    for (const [name, option] of [
      ['shallow', '--depth=1'],
      ['partial', '--filter=blob:none'],
      ['odd "name":\n x', '--no-hardlinks'],
    ] as const) {
      await place.git(place.folder, ['clone', '--quiet', option, url, name]);
      const clone = place.at(join(place.folder, name));
      await clone.git('switch', '--quiet', '--create', 'topic');
      await clone.commit({ [name]: 'x\n' });
      await using change = await clone.found();
      names.push(...(await fetched(place, change)));
    }

    expect(names).toEqual(['added shallow', 'added partial', 'added odd "name":\n x']);
  });
});
