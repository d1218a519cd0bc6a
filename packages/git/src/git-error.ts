import { BlockedError, type DrydockError, TerminalError, TransientError } from '@drydock/core';

const maxMessageCharacters = 500;

/** How a git process ended that did not end well. */
export interface GitFailure {
  readonly command: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

interface Rule {
  readonly pattern: RegExp;
  readonly toError: (message: string) => DrydockError;
}

/** In order: what a server said comes before what the transport made of it. */
const rules: readonly Rule[] = [
  {
    pattern: /authentication failed|could not read (username|password)|(returned error:|HTTP) 40[13]\b|access denied/i,
    toError: (message) => new BlockedError('git.unauthorized', message),
  },
  {
    // A replica may lag behind, and a head that was forced away shows when the merge request is read again.
    pattern: /not our ref|unadvertised object|couldn't find remote ref|did not send all necessary objects/i,
    toError: (message) => new TransientError('git.want_refused', message),
  },
  {
    pattern: /certificate|SSL_ERROR|unable to set.*CA/i,
    toError: (message) => new BlockedError('git.unreachable', message),
  },
  {
    pattern: /transport '[^']*' not allowed|could not fetch [0-9a-f]+ from promisor|missing (blob|tree|commit|object)/i,
    toError: (message) => new TerminalError('git.object_missing', message),
  },
  {
    pattern:
      /bad object|bad revision|not a valid (object|commit) name|not a tree object|invalid object|unable to read [0-9a-f]{40}|no such path/i,
    toError: (message) => new TerminalError('git.object_missing', message),
  },
  {
    pattern:
      /unable to access|could not resolve|failed to connect|connection (refused|reset|timed out)|timed out|early EOF|RPC failed|hung up|unable to rewind|requested URL returned error|HTTP [45]\d\d|unexpected disconnect/i,
    toError: (message) => new TransientError('git.unreachable', message),
  },
];

/** Says what to do about a failure of git, from what it printed. Nothing secret is in the message. */
export function toGitError({ command, exitCode, signal, stderr }: GitFailure): DrydockError {
  const said = redactGitText(stderr);
  const end = signal === null ? `ended with ${String(exitCode)}` : `was ended by ${signal}`;
  const message = said === '' ? `git ${command} ${end}` : `git ${command} ${end}: ${said}`;
  const rule = rules.find(({ pattern }) => pattern.test(stderr));
  if (rule !== undefined) return rule.toError(message);
  // The machine ended it, for want of memory or at a shutdown.
  if (signal !== null) return new TransientError('git.failed', message);
  return new TerminalError('git.failed', message);
}

/** Takes credentials, control characters and length out of what git printed. */
export function redactGitText(text: string): string {
  const plain = text
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, '$1')
    .replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s'"?#]*)[?#][^\s'"]*/gi, '$1')
    .replaceAll(
      /\b((?:proxy-)?authorization|private-token|job-token|cookie|x-[a-z-]*token)\b\s*[:=].*/gi,
      '$1: [redacted]',
    )
    .replaceAll(/\b(basic|bearer)\s+\S+/gi, '$1 [redacted]')
    .replaceAll(/extraheader.*/gi, 'extraheader [redacted]')
    // Text of a server or a repository may steer a terminal.
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
  return plain.length > maxMessageCharacters ? `${plain.slice(0, maxMessageCharacters)} …` : plain;
}
