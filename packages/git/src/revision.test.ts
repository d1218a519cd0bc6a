import { describe, expect, it } from '@jest/globals';
import { checkRevision } from './revision.ts';

describe('checkRevision', () => {
  it.each([
    'a'.repeat(40),
    '0'.repeat(64),
    'refs/heads/main',
    'refs/heads/feature/ünï-1.x',
    'refs/merge-requests/7/head',
    `refs/heads/${'a'.repeat(40)}`,
  ])('lets %j through', (text) => {
    expect(checkRevision(text)).toBe(text);
  });

  it.each([
    ...['', 'main', 'HEAD', 'heads/main', 'a'.repeat(39), 'A'.repeat(40), '-x', '--output=x', ':path'],
    ...['refs', 'refs/', 'refs//x', 'refs/heads/', 'refs/heads/.x', 'refs/heads/a..b', 'refs/heads/x.lock'],
    ...['refs/heads/a b', 'refs/heads/a~1', 'refs/heads/a^', 'refs/heads/a:b', 'refs/heads/a@{1}', 'refs/heads/a\nb'],
    ...['refs/heads/*', 'refs/heads/a\\b', 'refs/heads/x.', 'refs/heads/a\0', `refs/${'a'.repeat(1001)}`],
  ])('refuses %j', (text) => {
    expect(() => checkRevision(text)).toThrow(expect.objectContaining({ code: 'request.malformed' }));
  });
});
