import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { aGitRepository, type GitRepositoryFixture } from '@drydock/testkit';
import { openReview, type OpenReview } from '../testing/open-review.ts';

let repository: GitRepositoryFixture;
let review: OpenReview;

beforeAll(async () => {
  repository = await aGitRepository();
  const baseSha = await repository.commit({
    'src/app.js': 'one\n',
    'wei\u200brd\n.js': 'one\n',
    'huge.txt': 'y'.repeat(3_000_000),
    'wide.txt': `${'a'.repeat(200)}\n`.repeat(15_000),
  });
  const headSha = await repository.commit({ 'src/app.js': 'two\n', 'wei\u200brd\n.js': 'two\n' });
  review = await openReview(repository.gitDir, { baseSha, startSha: baseSha, headSha });
});

afterAll(async () => {
  await review[Symbol.asyncDispose]();
  await repository[Symbol.asyncDispose]();
});

const claim = {
  path: 'src/app.js',
  side: 'new',
  startLine: 1,
  endLine: 1,
  severity: 'high',
  category: 'correctness',
  confidence: 0.9,
  title: 'It is two',
  quotedCode: 'two',
  reason: 'It was one.',
};

describe('any tool', () => {
  const paths = [
    '../../etc/passwd',
    'src/../../etc/passwd',
    '/etc/passwd',
    'src/\0app.js',
    '.git/config',
    'src/.GIT/config',
    '..\\..\\windows',
    '~/.ssh/id_rsa',
    '%2e%2e/%2e%2e/etc/passwd',
    'file:///etc/passwd',
    '/proc/self/environ',
    'proc/self/environ',
    '/dev/zero',
    'C:\\boot.ini',
    '-oProxyCommand=touch /tmp/pwned',
    '--output=/tmp/pwned',
    '--upload-pack=touch /tmp/pwned',
    ':(top,exclude)src',
    ':/src',
    'HEAD:src/app.js',
    'src/app.js\nblob',
    '@{upstream}',
    '\ud800',
    'a'.repeat(10_000),
    `${'a/'.repeat(2000)}b`,
    ' ',
    '',
    '*',
  ];

  it.each(paths)('reads nothing at %j', async (path) => {
    for (const [name, more] of [
      ['read_file', {}],
      ['read_file', { ref: 'base' }],
      ['blame', { startLine: 1, endLine: 1 }],
      ['show_diff', {}],
      ['report_finding', { ...claim, path }],
    ] as const) {
      const answer = await review.call(name, { ...more, path });
      expect({ name, isError: answer.isError }).toEqual({ name, isError: true });
      expect(answer.text).not.toMatch(/root:|\[core\]|ddrun_/);
    }
    expect(['[no commit in the history that is here]', true]).toContainEqual(
      await review.call('log', { path }).then(({ text, isError }) => isError || text),
    );
  });

  it.each([null, {}, { path: 7 }, { path: 'a', extra: 1 }, { path: ['src/app.js'] }, { path: null }])(
    'answers wrong input %j with what is wrong',
    async (input) => {
      for (const name of ['read_file', 'blame', 'report_finding', 'finish_review']) {
        expect(await review.call(name, input)).toMatchObject({
          isError: true,
          text: expect.stringMatching(/^Not run/),
        });
      }
    },
  );

  it('that does not exist is no tool', async () => {
    expect(await review.call('run_shell', { command: 'id' })).toMatchObject({ isError: true });
    expect(await review.call('__proto__', {})).toMatchObject({ isError: true });
  });
});

describe('a path that hides something', () => {
  it('is shown spelled out, and understood that way', async () => {
    const path = 'wei⟨U+200B⟩rd⟨U+000A⟩.js';

    expect((await review.call('show_diff', {})).text).toContain(`modified\t+1 -1\t${path}`);
    expect((await review.call('show_diff', { path })).text).toContain('+ two');
    expect((await review.call('read_file', { path })).text).toBe('     1\ttwo');
    expect((await review.call('report_finding', { ...claim, path })).text).toBe('recorded');
    expect(review.findings.at(-1)?.path).toBe('wei\u200brd\n.js');
  });
});

describe('search', () => {
  it.each(['(a+)+$', '(x+x+)+y', '(.*)*$', '(?:a?){200}a{200}', '(a|a|a|a)*b', '([a-z]+)*[0-9]'])(
    'is not kept busy by %s',
    async (pattern) => {
      const before = process.cpuUsage();

      await review.call('search', { pattern, glob: '{wide,huge}.txt' });

      // Of the processor, which a busy machine does not lengthen. The search itself stops after 15 s by the clock.
      expect(process.cpuUsage(before).user / 1000).toBeLessThan(20_000);
    },
  );

  it('is not kept busy by a glob', async () => {
    expect((await review.call('search', { pattern: 'a', glob: '*a*a*a*a*a*a*a*a*a*a*b'.repeat(10) })).text).toBe(
      '[nothing found]',
    );
  });
});
