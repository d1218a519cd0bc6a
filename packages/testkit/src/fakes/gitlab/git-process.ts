import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** Nothing of the machine's or the user's configuration reaches a repository of the fake. */
export const gitEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
};

/** A running git whose output is to be streamed. */
export type GitProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts git in a repository, its three streams open. */
export function startGit(
  repoDir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): GitProcess {
  return spawn('git', [...args], { cwd: repoDir, env: { ...gitEnvironment, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Runs git to its end and gives its whole standard output; a non-zero exit throws with what git said. */
export async function runGit(
  repoDir: string,
  args: readonly string[],
  input?: Buffer | string,
  env: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const child = startGit(repoDir, args, env);
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  const exitCode = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve(code ?? -1);
    });
  });
  child.stdin.on('error', () => undefined); // it may end before it has read everything; its exit code tells
  child.stdin.end(input);
  const code = await exitCode;
  if (code === 0) return Buffer.concat(output);
  throw new Error(`git ${args.join(' ')} ended with ${code}: ${Buffer.concat(complaints).toString('utf8').trim()}`);
}

/** `runGit` for output that is one line of text. */
export async function gitLine(repoDir: string, args: readonly string[]): Promise<string> {
  return (await runGit(repoDir, args)).toString('utf8').trim();
}
