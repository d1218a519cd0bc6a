import { describe, expect, it } from '@jest/globals';
import { readMergeRequestUrl } from './merge-request-url.ts';

const gitLab = 'https://gitlab.example.com';

describe('readMergeRequestUrl', () => {
  it.each([
    ['https://gitlab.example.com/shop/api/-/merge_requests/7', gitLab, 'shop/api', 7],
    ['https://gitlab.example.com/a/b/c/-/merge_requests/12/diffs?tab=1#note_3', gitLab, 'a/b/c', 12],
    ['https://gitlab.example.com/gr%C3%BCn/api/-/merge_requests/7', gitLab, 'grün/api', 7],
    ['https://example.com/gitlab/shop/api/-/merge_requests/7', 'https://example.com/gitlab/', 'shop/api', 7],
    ['http://127.0.0.1:8080/shop/api/-/merge_requests/7', 'http://127.0.0.1:8080', 'shop/api', 7],
  ])('reads %s', (url, root, projectPath, iid) => {
    expect(readMergeRequestUrl(url, root)).toEqual({ kind: 'merge-request', projectPath, iid });
  });

  it.each([
    ['another host', 'https://gitlab.evil.example/shop/api/-/merge_requests/7', 'not the configured GitLab'],
    ['another scheme', 'http://gitlab.example.com/shop/api/-/merge_requests/7', 'not the configured GitLab'],
    ['another port', 'https://gitlab.example.com:444/shop/api/-/merge_requests/7', 'not the configured GitLab'],
    ['a user before the host', 'https://gitlab.example.com@evil.example/a/b/-/merge_requests/7', 'not the configured'],
    ['GitHub', 'https://github.com/acme/shop/pull/7', 'GitHub are not supported yet'],
    ['an issue', 'https://gitlab.example.com/shop/api/-/issues/7', 'no address of a merge request'],
    ['no number', 'https://gitlab.example.com/shop/api/-/merge_requests/new', 'no address of a merge request'],
    ['a climbing path', 'https://gitlab.example.com/a/%2e%2e%2fb/-/merge_requests/7', 'no address of a merge request'],
    ['a broken escape', 'https://gitlab.example.com/a/%zz/-/merge_requests/7', 'no address of a merge request'],
    ['a word', 'feature', 'no address of a merge request'],
    ['a file', 'file:///etc/passwd', 'no address of a merge request'],
  ])('refuses %s', (_, url, why) => {
    expect(readMergeRequestUrl(url, gitLab)).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) });
  });
});
