import { describe, expect, it } from '@jest/globals';
import { redactGitText, toGitError } from './git-error.ts';

const failure = (stderr: string) => toGitError({ command: 'fetch', exitCode: 128, signal: null, stderr });

describe('toGitError', () => {
  it.each([
    ["fatal: unable to access 'http://h/x/': The requested URL returned error: 403", 'blocked', 'git.unauthorized'],
    ["fatal: could not read Username for 'http://h': terminal prompts disabled", 'blocked', 'git.unauthorized'],
    ['remote: HTTP Basic: Access denied\nfatal: Authentication failed', 'blocked', 'git.unauthorized'],
    ["fatal: unable to access 'http://h/x/': The requested URL returned error: 502", 'transient', 'git.unreachable'],
    ["fatal: unable to access 'http://h/x/': Could not resolve host: h", 'transient', 'git.unreachable'],
    ["fatal: unable to access 'http://h/x/': Failed to connect to h port 1", 'transient', 'git.unreachable'],
    ['error: RPC failed; curl 18 transfer closed\nfatal: early EOF', 'transient', 'git.unreachable'],
    ['fatal: unable to access: SSL certificate problem: self-signed certificate', 'blocked', 'git.unreachable'],
    ['fatal: remote error: upload-pack: not our ref 0123', 'transient', 'git.want_refused'],
    ["fatal: couldn't find remote ref refs/heads/x", 'transient', 'git.want_refused'],
    [`fatal: bad object ${'a'.repeat(40)}`, 'terminal', 'git.object_missing'],
    [`fatal: unable to read ${'a'.repeat(40)}`, 'terminal', 'git.object_missing'],
    ["fatal: transport 'http' not allowed", 'terminal', 'git.object_missing'],
    ['fatal: something new', 'terminal', 'git.failed'],
  ])('%j is %s %s', (stderr, kind, code) => {
    expect(failure(stderr)).toMatchObject({ kind, code });
  });

  it('may work later when the machine ended it', () => {
    const error = toGitError({ command: 'log', exitCode: null, signal: 'SIGKILL', stderr: '' });

    expect(error).toMatchObject({ kind: 'transient', code: 'git.failed', message: 'git log was ended by SIGKILL' });
  });
});

describe('redactGitText', () => {
  it.each([
    ["unable to access 'https://user:s3cret@host/x.git/'", "unable to access 'https://host/x.git/'"],
    ['https://s3cret@host/x', 'https://host/x'],
    ['https://a:b@s3cret@host/x', 'https://host/x'],
    ["'https://host/x.git/info/refs?service=git-upload-pack&private_token=s3cret'", "'https://host/x.git/info/refs'"],
    ['> Authorization: Bearer s3cret more', '> Authorization: [redacted]'],
    ['PRIVATE-TOKEN: s3cret', 'PRIVATE-TOKEN: [redacted]'],
    ['config http.extraHeader=X: s3cret', 'config http.extraheader [redacted]'],
    ['got basic s3cret=', 'got basic [redacted]'],
    ['a\u001b[31mb\r\nc\u009bd', 'a [31mb c d'],
  ])('makes %j %j', (text, expected) => {
    expect(redactGitText(text)).toBe(expected);
  });

  it('is short', () => {
    expect(redactGitText('x'.repeat(10_000)).length).toBeLessThan(600);
  });
});
