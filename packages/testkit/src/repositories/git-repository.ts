import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What becomes of a path: its content, `null` for gone, or something other than a plain file. */
export type FileChange =
  | string
  | Buffer
  | null
  | { readonly content: string | Buffer; readonly mode: '100644' | '100755' | '120000' }
  | { readonly submodule: string };

/** Paths are text, or bytes where they are to be no UTF-8. Later entries come after earlier ones. */
export type FileChanges = Readonly<Record<string, FileChange>> | readonly (readonly [string | Buffer, FileChange])[];

/** One commit to be made. */
export interface CommitPlan {
  readonly changes: FileChanges;
  readonly message?: string;
  readonly author?: string;
  /** Default: the commit made before it. An empty list begins a history of its own. */
  readonly parents?: readonly string[];
}

/** A real bare repository in a folder of its own, gone when disposed of. */
export interface GitRepositoryFixture extends AsyncDisposable {
  readonly gitDir: string;
  /** Makes a commit on top of the last one, or of `parents`; answers its id. */
  commit(changes: FileChanges, plan?: Omit<CommitPlan, 'changes'>): Promise<string>;
  /** Makes many at once, each on top of the one before. */
  commitAll(plans: readonly CommitPlan[]): Promise<string[]>;
  /** Runs git in it; the answer is what it printed. Rejects unless it exits with 0. */
  git(args: readonly string[], input?: Buffer): Promise<Buffer>;
}

/** What git sees and nothing else: no settings of the machine or the user, fixed people and times. */
const hermeticEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
  LC_ALL: 'C',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'A Author',
  GIT_AUTHOR_EMAIL: 'author@example.test',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_NAME: 'A Committer',
  GIT_COMMITTER_EMAIL: 'committer@example.test',
  GIT_COMMITTER_DATE: '1700000000 +0000',
};

/** Makes an empty repository. Commits go straight into it, so any path, mode and byte that git can hold is possible. */
export async function aGitRepository(
  options: { readonly objectFormat?: 'sha1' | 'sha256' } = {},
): Promise<GitRepositoryFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-repository-'));
  const gitDir = join(folder, 'repository.git');
  const { objectFormat = 'sha1' } = options;
  await initBare(gitDir, objectFormat);
  let last: string | null = null;
  let clock = 1_700_000_000;

  const commitAll = async (plans: readonly CommitPlan[]): Promise<string[]> => {
    const stream: Buffer[] = [];
    plans.forEach((plan, index) => {
      const parents = plan.parents ?? (index > 0 ? [`:${index}`] : last === null ? [] : [last]);
      clock += 60;
      stream.push(...commitCommands(plan, { mark: index + 1, parents, time: clock }));
    });
    stream.push(...plans.map((_, index) => Buffer.from(`get-mark :${index + 1}\n`)), Buffer.from('done\n'));
    const output = await runGit(
      ['-C', gitDir, 'fast-import', '--quiet', '--force', '--done', '--date-format=raw'],
      Buffer.concat(stream),
    );
    const shas = output.toString('latin1').trim().split('\n');
    last = shas.at(-1) ?? last;
    return shas;
  };

  return {
    gitDir,
    commitAll,
    commit: async (changes, plan = {}) => {
      const [sha] = await commitAll([{ ...plan, changes }]);
      if (sha === undefined) throw new Error('git made no commit');
      return sha;
    },
    git: (args, input) => runGit(['-C', gitDir, ...args], input),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** As `git init --bare` does, without its hooks, and without a process: a test may make a hundred of them. */
async function initBare(gitDir: string, objectFormat: 'sha1' | 'sha256'): Promise<void> {
  for (const name of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info'])
    await mkdir(join(gitDir, name), { recursive: true });
  await writeFile(join(gitDir, 'HEAD'), 'ref: refs/heads/main\n');
  const [version, extension] =
    objectFormat === 'sha1' ? [0, ''] : [1, `[extensions]\n\tobjectformat = ${objectFormat}\n`];
  await writeFile(
    join(gitDir, 'config'),
    `[core]\n\trepositoryformatversion = ${String(version)}\n\tfilemode = true\n\tbare = true\n${extension}`,
  );
}

function commitCommands(
  plan: CommitPlan,
  at: { readonly mark: number; readonly parents: readonly string[]; readonly time: number },
): Buffer[] {
  const message = Buffer.from(plan.message ?? `Commit ${at.mark}`);
  const [first, ...others] = at.parents;
  return [
    // `reset` makes a commit without parents a root also where the branch exists.
    ...(first === undefined ? [Buffer.from('reset refs/heads/main\n')] : []),
    Buffer.from(`commit refs/heads/main\nmark :${at.mark}\n`),
    Buffer.from(`author ${plan.author ?? 'A Author'} <author@example.test> ${at.time} +0000\n`),
    Buffer.from(`committer A Committer <committer@example.test> ${at.time} +0000\n`),
    data(message),
    ...(first === undefined ? [] : [Buffer.from(`from ${first}\n`)]),
    ...others.map((parent) => Buffer.from(`merge ${parent}\n`)),
    ...entriesOf(plan.changes).flatMap(([path, change]) => changeCommands(quotePath(path), change)),
  ];
}

function entriesOf(changes: FileChanges): readonly (readonly [string | Buffer, FileChange])[] {
  return isList(changes) ? changes : Object.entries(changes);
}

function isList(changes: FileChanges): changes is readonly (readonly [string | Buffer, FileChange])[] {
  return Array.isArray(changes);
}

function changeCommands(path: string, change: FileChange): Buffer[] {
  if (change === null) return [Buffer.from(`D ${path}\n`, 'latin1')];
  if (typeof change === 'string' || Buffer.isBuffer(change)) {
    return [Buffer.from(`M 100644 inline ${path}\n`, 'latin1'), data(Buffer.from(change))];
  }
  if ('submodule' in change) return [Buffer.from(`M 160000 ${change.submodule} ${path}\n`, 'latin1')];
  return [Buffer.from(`M ${change.mode} inline ${path}\n`, 'latin1'), data(Buffer.from(change.content))];
}

function data(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from('\n')]);
}

function quotePath(path: string | Buffer): string {
  const bytes = Buffer.from(path);
  return `"${Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}"`;
}

function runGit(args: readonly string[], input?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { env: hermeticEnvironment, stdio: ['pipe', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const complaints: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
    child.stdin.on('error', () => undefined); // Git's own exit code tells.
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(output));
      else
        reject(new Error(`git ${args.join(' ')} ended with ${String(code)}: ${Buffer.concat(complaints).toString()}`));
    });
    child.stdin.end(input);
  });
}
