/** Commits made through the API: actions on files, one after the other, that become one commit. */
import { gitLine } from './git-process.ts';
import type { GitLabFileChange } from './git-repository.ts';
import { GitLabApiError, type GitLabProject, type GitLabUser } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { commitToBranch } from './merge-request-actions.ts';

/** One step of a commit. */
export type CommitAction =
  | { readonly action: 'create'; readonly path: string; readonly content: Buffer }
  | { readonly action: 'update'; readonly path: string; readonly content: Buffer }
  | { readonly action: 'delete'; readonly path: string }
  /** `content` null: as it was. */
  | { readonly action: 'move'; readonly path: string; readonly from: string; readonly content: Buffer | null }
  | { readonly action: 'chmod'; readonly path: string; readonly isExecutable: boolean };

/** What is to be committed, and where. */
export interface ActionCommit {
  readonly project: GitLabProject;
  readonly branch: string;
  /** The branch that a new one begins at; null: `branch` is there. */
  readonly startBranch: string | null;
  readonly message: string;
  readonly actions: readonly CommitAction[];
  readonly by: GitLabUser;
}

interface FileState {
  readonly mode: string;
  readonly content: Buffer;
}

/** Makes the commit and pushes it; gives its id. Throws GitLab's error for what cannot be done. */
export async function commitByActions(world: GitLabWorld, commit: ActionCommit): Promise<string> {
  const { project, branch, by, message } = commit;
  const start = await startOf(commit);
  const files = new Map<string, FileState | null>();
  for (const action of commit.actions) await apply(project, start, files, action);
  // What is removed first: a folder may take the name of a file that goes.
  const changes = [...files].sort(([, left], [, right]) => Number(left !== null) - Number(right !== null));
  const spec = {
    files: Object.fromEntries(changes) satisfies Record<string, GitLabFileChange>,
    message,
    authorName: by.name,
    authorEmail: `${by.username}@example.com`,
  };
  const from = commit.startBranch === null ? {} : { from: `refs/heads/${commit.startBranch}` };
  return await commitToBranch(world, { project, branch, commits: [spec], by, ...from });
}

/** The commit to begin at; null: the project is empty. */
async function startOf({ project, branch, startBranch }: ActionCommit): Promise<string | null> {
  const { repository, defaultBranch } = project;
  if ((await repository.branchTip(defaultBranch)) === null) return null;
  const start = await repository.branchTip(startBranch ?? branch);
  if (start === null) throw refuse('You can only create or edit files when you are on a branch');
  if (startBranch === null || startBranch === branch) return start;
  if ((await repository.branchTip(branch)) !== null) {
    throw refuse(`A branch called '${branch}' already exists. Switch to that branch in order to make changes`);
  }
  if (!isBranchName(branch)) {
    throw refuse(`Something went wrong when we tried to create '${branch}' for you: Branch name is invalid`);
  }
  return start;
}

async function apply(
  project: GitLabProject,
  start: string | null,
  files: Map<string, FileState | null>,
  action: CommitAction,
): Promise<void> {
  const read = async (path: string) => {
    const changed = files.get(checkPath(path));
    return changed === undefined ? await readState(project, start, path) : changed;
  };
  const existing = async (path: string) => {
    const state = await read(path);
    if (state === null) throw refuse("A file with this name doesn't exist");
    return state;
  };
  const { path } = action;
  switch (action.action) {
    case 'create':
    case 'move': {
      const source = action.action === 'move' ? await existing(action.from) : null;
      if ((await read(path)) !== null) throw refuse('A file with this name already exists');
      if (action.action === 'move') files.set(action.from, null);
      const content = action.content ?? source?.content ?? Buffer.alloc(0);
      files.set(path, { mode: source?.mode ?? '100644', content });
      return;
    }
    case 'update':
      files.set(path, { mode: (await existing(path)).mode, content: action.content });
      return;
    case 'delete':
      await existing(path);
      files.set(path, null);
      return;
    case 'chmod':
      files.set(path, { ...(await existing(path)), mode: action.isExecutable ? '100755' : '100644' });
  }
}

async function readState(project: GitLabProject, start: string | null, path: string): Promise<FileState | null> {
  const { repository } = project;
  if (start === null) return null;
  const entry = await gitLine(repository.dir, ['--literal-pathspecs', 'ls-tree', start, '--', path]);
  const mode = /^(\d{6}) blob /.exec(entry)?.[1];
  const content = mode === undefined ? null : await repository.readFile(start, path);
  return mode === undefined || content === null ? null : { mode, content };
}

function checkPath(path: string): string {
  if (path === '') throw refuse('You must provide a file path');
  const parts = path.split('/');
  if (parts.includes('..')) throw refuse('Path cannot include directory traversal');
  if (parts.some((part) => part === '' || part === '.' || part.toLowerCase() === '.git')) {
    throw refuse(`invalid path: '${path}'`);
  }
  return path;
}

/** The rules of git, and no dash at the beginning. */
function isBranchName(name: string): boolean {
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/.test(name)) return false;
  return name !== '@' && !name.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'));
}

function refuse(message: string): GitLabApiError {
  return new GitLabApiError(400, { message });
}
