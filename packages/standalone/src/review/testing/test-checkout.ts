/** A real checkout for tests, whose every byte is compared before and after a change is looked for in it. */
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { startGitShell } from './git-shell.ts';
import { findLocalChange, type ChangeFound, type ChangeWanted, type LocalChange } from '../local-change.ts';

/** What of a search is not the default. */
export type Wanted = Partial<ChangeWanted> & {
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

/** Folders of a test: checkouts, a home, and where views go. */
export interface Place extends AsyncDisposable {
  readonly folder: string;
  /** Holds `.gitconfig`. */
  readonly home: string;
  /** Makes a repository with `main`; a name may have slashes. */
  checkout(name?: string, options?: readonly string[]): Promise<Checkout>;
  /** A folder that git has made into a checkout. */
  at(path: string): Checkout;
  git(cwd: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** What is left of views. */
  views(): Promise<string[]>;
}

/** One checkout, or a bare repository. */
export interface Checkout {
  readonly path: string;
  git(...args: string[]): Promise<string>;
  /** Writes files; null: removes. */
  write(files: Readonly<Record<string, string | Buffer | null>>): Promise<void>;
  /** Writes, adds all and commits; answers the id. */
  commit(files?: Readonly<Record<string, string | Buffer | null>>, message?: string): Promise<string>;
  /** Looks for the change; fails when that changed anything in the folder of the test. */
  find(wanted?: Wanted): Promise<ChangeFound>;
  /** As `find`, for what must be found. */
  found(wanted?: Wanted): Promise<LocalChange>;
}

const searchPath = `/usr/local/bin${delimiter}/usr/bin${delimiter}/bin`;
/** A process may have few files open. */
const openAtOnce = 64;

/** Makes the folders. */
export async function aPlace(): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'drydock-local-'));
  const [folder, home, tempDir] = [join(root, 'places'), join(root, 'home'), join(root, 'tmp')];
  for (const path of [folder, home, tempDir]) await mkdir(path);
  const shell = startGitShell(root);
  await writeFile(
    join(home, '.gitconfig'),
    '[protocol "file"]\n\tallow = always\n[init]\n\tdefaultBranch = main\n\ttemplateDir =\n[gc]\n\tauto = 0\n',
  );
  let clock = 1_700_000_000;

  const git = async (cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    clock += 60;
    const time = `${String(clock)} +0000`;
    return shell.run(cwd, args, {
      ...{ PATH: searchPath, HOME: home, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1' },
      ...{ GIT_AUTHOR_NAME: 'A Author', GIT_AUTHOR_EMAIL: 'a@example.test', GIT_AUTHOR_DATE: time },
      ...{ GIT_COMMITTER_NAME: 'C', GIT_COMMITTER_EMAIL: 'c@example.test', GIT_COMMITTER_DATE: time },
      ...env,
    });
  };

  const at = (path: string): Checkout => {
    const write: Checkout['write'] = async (files) => {
      for (const [name, content] of Object.entries(files)) {
        await rm(join(path, name), { recursive: true, force: true });
        if (content === null) continue;
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), content);
      }
    };
    const find: Checkout['find'] = async (given = {}) => {
      const { environment = { HOME: home }, signal = AbortSignal.timeout(60_000), ...wanted } = given;
      const before = await hashesOf(folder);
      const found = await findLocalChange(
        { ...{ cwd: path, searchPath, base: null, head: null, work: 'none', isRoot: false }, ...wanted },
        { tempDir, environment },
        signal,
      );
      const after = await hashesOf(folder);
      const changed = [...new Set([...before, ...after])].filter((line) => !before.has(line) || !after.has(line));
      if (changed.length > 0) throw new Error(`looking for a change changed ${changed.slice(0, 5).join(', ')}`);
      return found;
    };
    return {
      path,
      write,
      find,
      git: (...args) => git(path, args),
      commit: async (files = {}, message = 'Change') => {
        await write(files);
        await git(path, ['add', '--all']);
        await git(path, ['commit', '--quiet', '--allow-empty', '-m', message]);
        return git(path, ['rev-parse', 'HEAD']);
      },
      found: async (wanted) => {
        const found = await find(wanted);
        if (found.kind !== 'found') throw new Error(`not found: ${JSON.stringify(found)}`);
        return found.change;
      },
    };
  };

  return {
    ...{ folder, home, git, at },
    checkout: async (name = 'checkout', options = []) => {
      const path = join(folder, name);
      await git(folder, ['init', '--quiet', ...options, path]);
      return at(path);
    },
    views: () => readdir(tempDir),
    [Symbol.asyncDispose]: async () => {
      await shell[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** One line for each file, link and folder below: what it is, its mode, its content. */
async function hashesOf(folder: string): Promise<Set<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const lines = new Set<string>();
  for (let at = 0; at < entries.length; at += openAtOnce)
    for (const line of await Promise.all(entries.slice(at, at + openAtOnce).map(lineOf))) lines.add(line);
  return lines;
}

async function lineOf(entry: Dirent): Promise<string> {
  const path = join(entry.parentPath, entry.name);
  const { mode } = await lstat(path);
  const content = entry.isSymbolicLink() ? await readlink(path) : entry.isFile() ? await readFile(path) : '';
  return `${path} ${mode.toString(8)} ${createHash('sha256').update(content).digest('hex')}`;
}

/** What plain git says has changed, with no settings of a repository: for views and checkouts alike. */
export async function rawDiff(place: Place, gitDir: string, from: string, to: string): Promise<string> {
  const args = ['--git-dir', gitDir, 'diff', '--raw', '--no-abbrev', '--no-renames', '-z', from, to];
  return place.git(place.folder, args, { GIT_WORK_TREE: place.folder, GIT_INDEX_FILE: '/nonexistent/index' });
}

/** Makes a file one that can be run, or one that cannot. */
export async function setExecutable(path: string, isExecutable: boolean): Promise<void> {
  await chmod(path, isExecutable ? 0o755 : 0o644);
}
