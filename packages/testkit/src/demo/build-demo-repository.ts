import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import type { DemoCommit } from './demo-project.ts';
import { demoProject } from './demo-project.ts';

/** The demo's repository. The ids are the same wherever it is built. */
export interface DemoRepository {
  /** Bare, with the target branch and the source branch as first pushed. */
  readonly gitDir: string;
  /** Where the source branch leaves the target branch. */
  readonly baseSha: string;
  readonly targetSha: string;
  readonly headSha: string;
  /** The second push. No branch points at it yet; `secondPushRef` does. */
  readonly secondHeadSha: string;
}

/** Holds the second push until somebody pushes it. Not below `refs/heads`, so that no clone brings it along. */
export const secondPushRef = 'refs/demo/second-push';

/** Builds the demo's repository in a folder that is not there yet, with the machine's git and none of its settings. */
export async function buildDemoRepository(gitDir: string): Promise<DemoRepository> {
  await mkdir(gitDir, { recursive: true });
  const { sourceBranch, targetBranch } = demoProject.mergeRequest;
  await git(gitDir, ['init', '--quiet', '--bare', '--object-format=sha1', `--initial-branch=${targetBranch}`]);
  const source = `refs/heads/${sourceBranch}`;
  const target = `refs/heads/${targetBranch}`;
  const baseSha = await commitAll(gitDir, target, null, demoProject.commits);
  const targetSha = await commitAll(gitDir, target, baseSha, demoProject.laterOnTarget);
  const headSha = await commitAll(gitDir, source, baseSha, demoProject.branchCommits);
  const secondHeadSha = await commitAll(gitDir, secondPushRef, headSha, demoProject.secondPush.commits);
  return { gitDir, baseSha, targetSha, headSha, secondHeadSha };
}

async function commitAll(
  gitDir: string,
  ref: string,
  parent: string | null,
  commits: readonly DemoCommit[],
): Promise<string> {
  const parts = commits.flatMap((commit, index) => commitCommands(ref, index === 0 ? parent : null, commit));
  await git(gitDir, ['fast-import', '--quiet', '--date-format=raw'], Buffer.concat(parts));
  return (await git(gitDir, ['rev-parse', '--verify', ref])).trim();
}

/** Without a parent the commit follows the last one of its ref. */
function commitCommands(ref: string, parent: string | null, commit: DemoCommit): readonly Buffer[] {
  const who = `${commit.authorName} <${commit.authorEmail}> ${String(commit.dateMs / 1000)} +0000`;
  return [
    Buffer.from(`commit ${ref}\nauthor ${who}\ncommitter ${who}\n`),
    data(Buffer.from(`${commit.message}\n`)),
    ...(parent === null ? [] : [Buffer.from(`from ${parent}\n`)]),
    ...Object.entries(commit.files).flatMap(([path, content]) =>
      content === null
        ? [Buffer.from(`D ${path}\n`)]
        : [Buffer.from(`M 100644 inline ${path}\n`), data(Buffer.from(content))],
    ),
  ];
}

function data(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`data ${String(bytes.length)}\n`), bytes, Buffer.from('\n')]);
}

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
};

async function git(gitDir: string, args: readonly string[], input?: Buffer): Promise<string> {
  const child = spawn('git', ['-c', 'core.autocrlf=false', ...args], { cwd: gitDir, env: environment });
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  child.stdin.on('error', () => undefined); // git may end early; its exit code tells
  const exitCode = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdin.end(input);
  const code = await exitCode;
  if (code === 0) return Buffer.concat(output).toString('utf8');
  throw new Error(`git ${args.join(' ')} ended with ${String(code)}: ${Buffer.concat(complaints).toString('utf8')}`);
}
