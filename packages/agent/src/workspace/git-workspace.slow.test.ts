import { describe, expect, it } from '@jest/globals';
import { aGitRepository } from '@drydock/testkit';
import { agentRoutes } from '@drydock/core';
import { openReview } from '../testing/open-review.ts';

const never = new AbortController().signal;

describe('GitWorkspace', () => {
  it('blames lines older than the history that is here on the oldest commit there is', async () => {
    await using repository = await aGitRepository();
    await repository.commit({ 'old.txt': 'old line\n' }, { author: 'Somebody Old' });
    await repository.commitAll(Array.from({ length: 130 }, (_, at) => ({ changes: { 'count.txt': `${at}\n` } })));
    const baseSha = await repository.commit({ 'old.txt': 'old line\nnew line\n' }, { author: 'Somebody New' });
    const headSha = await repository.commit({ 'a.js': 'two\n' });
    await using review = await openReview(repository.gitDir, { baseSha, startSha: baseSha, headSha });

    const blamed = await review.workspace.blame('old.txt', 1, 2, never);

    expect(blamed.map((line) => line.author)).toEqual(['A Author', 'Somebody New']);
    expect(await review.workspace.log(null, 100, never)).toHaveLength(100);
  });

  it('blames through merges', async () => {
    await using repository = await aGitRepository();
    const root = await repository.commit({ 'a.txt': 'one\ntwo\nthree\n' });
    const left = await repository.commit({ 'a.txt': 'ONE\ntwo\nthree\n' }, { parents: [root], author: 'Left' });
    const right = await repository.commit({ 'a.txt': 'one\ntwo\nTHREE\n' }, { parents: [root], author: 'Right' });
    const merged = await repository.commit(
      { 'a.txt': 'ONE\ntwo merged\nTHREE\n' },
      { parents: [left, right], author: 'Merger' },
    );
    const headSha = await repository.commit({ 'b.txt': 'b\n' }, { parents: [merged] });
    await using review = await openReview(repository.gitDir, { baseSha: merged, startSha: merged, headSha });

    const blamed = await review.workspace.blame('a.txt', 1, 3, never);

    expect(blamed.map((line) => line.author)).toEqual(['Left', 'Merger', 'Right']);
  });

  it('fetches blobs for a search in batches, and each only once', async () => {
    await using repository = await aGitRepository();
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`src/f${at}.txt`, `word ${at}\n`]));
    const baseSha = await repository.commit({ ...many, 'logo.png': 'word\n' });
    const headSha = await repository.commit({ 'a.js': 'two\n' });
    await using review = await openReview(repository.gitDir, { baseSha, startSha: baseSha, headSha });
    const fetches = () =>
      review.gateway.requests.filter((request) => request === `POST ${agentRoutes.git}/git-upload-pack`).length;
    const before = fetches();

    const first = await review.call('search', { pattern: 'word 59' });
    const second = await review.call('search', { pattern: 'word 1' });

    expect(first.text.split('\n')).toHaveLength(11);
    expect(first.text).not.toContain('logo.png');
    expect(second.isError).toBe(false);
    expect(fetches() - before).toBe(3);
  });

  it('answers the model when a blob cannot be had now', async () => {
    await using repository = await aGitRepository();
    const baseSha = await repository.commit({ 'far.txt': 'far\n' });
    const headSha = await repository.commit({ 'a.js': 'two\n' });
    await using review = await openReview(repository.gitDir, { baseSha, startSha: baseSha, headSha });
    await review.gateway[Symbol.asyncDispose]();

    expect(await review.call('read_file', { path: 'far.txt' })).toEqual({
      text: 'Not possible: the repository could not be read this far.',
      isError: true,
    });
    expect(await review.call('read_file', { path: 'a.js' })).toEqual({ text: '     1\ttwo', isError: false });
  });
});
