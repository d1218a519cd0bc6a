import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, systemClock, type ReviewReport } from '@drydock/core';
import { startFakeGitLab, type FakeGitLab, type GitLabProject } from '@drydock/testkit';
import type { ReviewSettings } from './review-settings.ts';
import { runReview } from './run-review.ts';
import { testReviewSettings } from './testing/test-settings.ts';

const before =
  'export function sum(list) {\n  let s = 0;\n  for (let i = 0; i < list.length; i++) s += list[i];\n  return s;\n}\n';
const markerKeys = [new Secret('0123456789abcdef0123456789abcdef')];

describe('runReview of a merge request', () => {
  let folder: string;
  let gitlab: FakeGitLab;
  let project: GitLabProject;
  let url: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-review-mr-'));
    gitlab = await startFakeGitLab();
    project = await gitlab.createProject({ path: 'acme/shop', files: { 'src/sum.js': before } });
    const author = gitlab.createUser({ username: 'ada' });
    await gitlab.push(project, 'feature', { 'src/sum.js': before.replace('i < list', 'i <= list') });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Faster', author });
    url = `${gitlab.url}/acme/shop/-/merge_requests/1`;
  });
  afterEach(async () => {
    await gitlab[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const settings = (changes: Partial<ReviewSettings> = {}): ReviewSettings =>
    testReviewSettings(folder, {
      subject: { kind: 'merge-request', url },
      forge: { id: 'gitlab', baseUrl: gitlab.url, token: new Secret(gitlab.token) },
      ...changes,
    });
  const play = (
    changes: Partial<ReviewSettings> = {},
    mayPost: ((report: ReviewReport) => Promise<boolean>) | null = null,
  ) =>
    runReview(settings(changes), {
      clock: systemClock,
      mayPost,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
  const effects = () => gitlab.discussions(1).length + gitlab.notes(1).length;

  it('prints it and writes nothing', async () => {
    const end = await play();

    expect(end).toMatchObject({
      kind: 'reviewed',
      publication: null,
      report: { change: { kind: 'merge-request', webUrl: url }, findings: [{ path: 'src/sum.js', startLine: 3 }] },
    });
    expect(effects()).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it('posts it once the caller has seen it and agrees, and not a second time', async () => {
    const seen: ReviewReport[] = [];
    const agree = async (report: ReviewReport) => {
      seen.push(report);
      expect(effects()).toBe(0);
      return true;
    };

    const first = await play({ markerKeys }, agree);
    const again = await play({ markerKeys }, async () => true);

    expect(seen).toMatchObject([{ findings: [{ isNew: true }] }]);
    expect(first).toMatchObject({ publication: { comments: [{ path: 'src/sum.js', isNew: true }] } });
    expect(again).toMatchObject({ report: { findings: [{ isNew: false }] } });
    expect(gitlab.discussions(1)).toHaveLength(1);
  });

  it('posts nothing when the caller does not agree', async () => {
    const end = await play({ markerKeys }, async () => false);

    expect(end).toMatchObject({ kind: 'reviewed', publication: null });
    expect(effects()).toBe(0);
  });

  it('wants a token, and to post the key that signs comments', async () => {
    const withoutToken = await play({ forge: { id: 'gitlab', baseUrl: gitlab.url, token: null } });
    const withoutKey = await play({}, async () => true);

    expect(withoutToken).toMatchObject({ kind: 'bad-config', why: expect.stringContaining('DRYDOCK_GITLAB_TOKEN') });
    expect(withoutKey).toMatchObject({ kind: 'bad-config', why: expect.stringContaining('DRYDOCK_MARKER_KEYS') });
  });

  it('sends the token to no other host than the configured one', async () => {
    const requestsBefore = gitlab.requests.length;

    const end = await play({ forge: { id: 'gitlab', baseUrl: 'https://gitlab.com', token: new Secret(gitlab.token) } });

    expect(end).toMatchObject({ kind: 'refused', why: expect.stringContaining('not the configured GitLab') });
    expect(gitlab.requests.length).toBe(requestsBefore);
  });

  it.each([
    ['a project that is not there', '/acme/other/-/merge_requests/1', { kind: 'refused' }],
    ['a merge request that is not there', '/acme/shop/-/merge_requests/99', { kind: 'refused' }],
  ])('says so for %s', async (_, path, expected) => {
    expect(await play({ subject: { kind: 'merge-request', url: gitlab.url + path } })).toMatchObject(expected);
  });

  it('says so for a token that GitLab refuses', async () => {
    const end = await play({ forge: { id: 'gitlab', baseUrl: gitlab.url, token: new Secret('glpat-wrong') } });

    expect(end).toMatchObject({ kind: 'refused', hint: expect.stringContaining('DRYDOCK_GITLAB_TOKEN') });
  });
});
