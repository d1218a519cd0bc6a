import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Moves a branch of a bare repository of this machine to another of its commits. */
export async function moveBranch(gitDir: string, branch: string, sha: string): Promise<void> {
  await run('git', ['--git-dir', gitDir, 'update-ref', `refs/heads/${branch}`, sha]);
}
