import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gitLine, runGit } from './git-process.ts';
import { loadVersionDiff, type VersionDiff } from './version-diff.ts';

/** New text or bytes of a file, with a git mode where it is no plain file; null removes it. */
export type GitLabFileChange = string | Buffer | null | { readonly content: string | Buffer; readonly mode: string };

/** What a commit changes, by path. A submodule is `{ content: <40 hex digits>, mode: '160000' }`. */
export type GitLabFileChanges = Readonly<Record<string, GitLabFileChange>>;

/** A commit to be made on top of a branch. */
export interface GitLabCommit {
  readonly files: GitLabFileChanges;
  readonly message?: string;
  readonly authorName?: string;
  readonly authorEmail?: string;
  readonly dateMs?: number;
}

// Without gc, what a forced push left behind stays, as on GitLab.
const settings = `[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[transfer]
	hideRefs = refs/keep-around
[gc]
	auto = 0
`;

/** A bare repository as the forge keeps it. */
export class GitRepository {
  readonly dir: string;
  readonly #diffs = new Map<string, Promise<VersionDiff>>();

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Makes an empty one that serves partial clones of any commit it holds, as GitLab's do. */
  static async create(
    dir: string,
    defaultBranch: string,
    objectFormat: 'sha1' | 'sha256' = 'sha1',
  ): Promise<GitRepository> {
    await mkdir(dir, { recursive: true });
    await runGit(dir, [
      'init',
      '--quiet',
      '--bare',
      `--initial-branch=${defaultBranch}`,
      `--object-format=${objectFormat}`,
    ]);
    await appendFile(join(dir, 'config'), settings);
    return new GitRepository(dir);
  }

  /** Copies branches and tags of a repository on this machine. */
  async copyFrom(sourceDir: string): Promise<void> {
    await this.fetch(sourceDir, ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']);
  }

  /** Fetches refs of another repository on this machine. */
  async fetch(sourceDir: string, refspecs: readonly string[]): Promise<void> {
    await runGit(this.dir, ['fetch', '--quiet', '--no-write-fetch-head', '--update-head-ok', sourceDir, ...refspecs]);
  }

  /** The commit that a ref or a name stands for; null when there is none. */
  async resolve(name: string): Promise<string | null> {
    try {
      return await gitLine(this.dir, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]);
    } catch {
      return null;
    }
  }

  /** The tip of a branch; null when there is no such branch. */
  async branchTip(branch: string): Promise<string | null> {
    return await this.resolve(`refs/heads/${branch}`);
  }

  /** Points a ref at a commit, or removes it. */
  async setRef(ref: string, sha: string | null): Promise<void> {
    await runGit(this.dir, sha === null ? ['update-ref', '-d', ref] : ['update-ref', ref, sha]);
  }

  /** The best common ancestor; null for unrelated histories. */
  async mergeBase(left: string, right: string): Promise<string | null> {
    try {
      return await gitLine(this.dir, ['merge-base', left, right]);
    } catch {
      return null;
    }
  }

  /** The commits of `to` that are not in `from`, newest first. */
  async commitsBetween(from: string, to: string): Promise<readonly string[]> {
    const lines = await gitLine(this.dir, ['rev-list', `${from}..${to}`]);
    return lines === '' ? [] : lines.split('\n');
  }

  /** Message and author of a commit. */
  async readCommit(sha: string): Promise<{ message: string; authorName: string; authorEmail: string; dateMs: number }> {
    const text = (await runGit(this.dir, ['show', '-s', '--format=%an%x00%ae%x00%at%x00%B', sha])).toString('utf8');
    const [authorName = '', authorEmail = '', seconds = '0', message = ''] = text.split('\0');
    return { message: message.replace(/\n$/, ''), authorName, authorEmail, dateMs: Number(seconds) * 1000 };
  }

  /** A file's bytes at a commit; null when it has none there. */
  async readFile(sha: string, path: string): Promise<Buffer | null> {
    try {
      return await runGit(this.dir, ['cat-file', 'blob', `${sha}:${path}`]);
    } catch {
      return null;
    }
  }

  /** Commits on top of `parent` (null: a root commit), without touching any branch. */
  async commit(parent: string | null, spec: GitLabCommit): Promise<string> {
    const stream = importStream('refs/keep-around/newest', parent, spec);
    const sha = await runGit(this.dir, ['fast-import', '--quiet', '--force', '--date-format=raw'], stream);
    return sha.toString('utf8').trim();
  }

  /** A merge commit, without touching any branch; where the two conflict, it takes the second one's tree. */
  async mergeCommit(target: string, head: string, message: string, dateMs: number): Promise<string> {
    const seconds = Math.floor(dateMs / 1000);
    const who = `GitLab <gitlab@example.com> ${seconds} +0000`;
    const tree = await gitLine(this.dir, ['merge-tree', '--write-tree', target, head]).catch(() =>
      gitLine(this.dir, ['rev-parse', `${head}^{tree}`]),
    );
    const parents = `parent ${target}\nparent ${head}`;
    const commit = `tree ${tree}\n${parents}\nauthor ${who}\ncommitter ${who}\n\n${message}\n`;
    return (await runGit(this.dir, ['hash-object', '-t', 'commit', '-w', '--stdin'], commit)).toString('utf8').trim();
  }

  /** The diff of two commits, read once. */
  async diff(baseSha: string, headSha: string, maxPatchBytes: number | null): Promise<VersionDiff> {
    const key = `${baseSha}..${headSha}:${maxPatchBytes ?? ''}`;
    let diff = this.#diffs.get(key);
    if (diff === undefined) {
      diff = loadVersionDiff({ repoDir: this.dir, baseSha, headSha, maxPatchBytes });
      this.#diffs.set(key, diff);
    }
    return await diff;
  }
}

function importStream(ref: string, parent: string | null, spec: GitLabCommit): Buffer {
  const seconds = Math.floor((spec.dateMs ?? 1_700_000_000_000) / 1000);
  const who = `${spec.authorName ?? 'Dana Doe'} <${spec.authorEmail ?? 'dana@example.com'}> ${seconds} +0000`;
  const parts: (string | Buffer)[] = [`commit ${ref}\nmark :1\ncommitter ${who}\n`];
  const message = Buffer.from(spec.message ?? 'Change files');
  parts.push(`data ${message.length}\n`, message, '\n');
  if (parent !== null) parts.push(`from ${parent}\n`);
  for (const [path, change] of Object.entries(spec.files)) parts.push(...fileCommand(path, change));
  parts.push('\nget-mark :1\n');
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

function fileCommand(path: string, change: GitLabFileChange): (string | Buffer)[] {
  if (change === null) return [`D ${quotePath(path)}\n`];
  const { content, mode } =
    typeof change === 'string' || Buffer.isBuffer(change) ? { content: change, mode: '100644' } : change;
  if (mode === '160000') return [`M 160000 ${content.toString('utf8')} ${quotePath(path)}\n`];
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return [`M ${mode} inline ${quotePath(path)}\n`, `data ${bytes.length}\n`, bytes, '\n'];
}

function quotePath(path: string): string {
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `"${escaped}"`;
}
