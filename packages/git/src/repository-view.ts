/**
 * A bare repository of our own whose objects are somebody else's: their object database is named as an alternate, so
 * nothing is copied, and what we add goes into our folder alone. It has no refs, no settings, no grafts.
 * @see https://git-scm.com/docs/gitrepository-layout, `objects/info/alternates`
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { GitRepository } from './git-environment.ts';

/** How objects are named. */
export type ObjectFormat = 'sha1' | 'sha256';

/** What a view shows. */
export interface MakeRepositoryView {
  /** A folder of ours, empty. */
  readonly gitDir: string;
  readonly searchPath: string;
  readonly objectFormat: ObjectFormat;
  /** Absolute folders of object databases; their own alternates are followed. */
  readonly objectDirs: readonly string[];
  /** The list of commits at which a shallow clone ends; null, or a file that is not there: a whole history. */
  readonly shallowFile: string | null;
}

/** A view and what it was found to rest on. */
export interface RepositoryView {
  readonly repository: GitRepository;
  /** Whether objects may be missing because a clone left them with its remote. */
  readonly isPartial: boolean;
}

/** Longer chains are no chains but circles. */
const maxObjectDirs = 64;

/** Makes a view without running anything. */
export async function makeRepositoryView(input: MakeRepositoryView): Promise<RepositoryView> {
  const { gitDir, searchPath, objectFormat, shallowFile } = input;
  const [objectDirs] = await Promise.all([
    withAlternates(input.objectDirs),
    mkdir(join(gitDir, 'objects', 'info'), { recursive: true, mode: 0o700 }),
    mkdir(join(gitDir, 'objects', 'pack'), { recursive: true, mode: 0o700 }),
    mkdir(join(gitDir, 'refs', 'heads'), { recursive: true, mode: 0o700 }),
  ]);
  const [isPartial] = await Promise.all([
    hasPromisorPack(objectDirs),
    writeFile(join(gitDir, 'HEAD'), 'ref: refs/heads/none\n'),
    writeFile(join(gitDir, 'config'), settingsOf(objectFormat)),
    writeFile(join(gitDir, 'objects', 'info', 'alternates'), objectDirs.map((dir) => `${quote(dir)}\n`).join('')),
    ...(shallowFile === null ? [] : [copyIfThere(shallowFile, join(gitDir, 'shallow'))]),
  ]);
  return { repository: { gitDir, searchPath }, isPartial };
}

function settingsOf(format: ObjectFormat): string {
  if (format === 'sha1') return '[core]\n\trepositoryformatversion = 0\n\tbare = true\n';
  return '[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n';
}

/**
 * All databases that git would look into from these. Git itself follows only five of a chain, and a relative path only
 * at its beginning; named one by one in our own file, neither matters.
 */
async function withAlternates(objectDirs: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  const waiting = [...objectDirs];
  for (let dir = waiting.shift(); dir !== undefined && found.size < maxObjectDirs; dir = waiting.shift()) {
    if (found.has(dir)) continue;
    found.add(dir);
    const base = dir;
    const file = await readFile(join(dir, 'info', 'alternates')).catch(() => null);
    const lines = file === null ? [] : file.toString('latin1').split('\n');
    const named = lines.filter((line) => line !== '' && !line.startsWith('#')).map(unquote);
    waiting.push(...named.map((path) => (isAbsolute(path) ? path : resolve(base, path))));
  }
  return [...found];
}

async function hasPromisorPack(objectDirs: readonly string[]): Promise<boolean> {
  const packs = await Promise.all(objectDirs.map((dir) => readdir(join(dir, 'pack')).catch(() => [])));
  return packs.flat().some((name) => name.endsWith('.promisor'));
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: unknown) => {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error;
  });
}

/** As git reads it: a line that begins with a quote is a C string, one with a `#` a comment. */
function quote(path: string): string {
  const bytes = Buffer.from(path);
  const isPlain = bytes.every((byte) => byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c);
  if (isPlain) return path;
  const escaped = Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\${byte.toString(8).padStart(3, '0')}`,
  );
  return `"${escaped.join('')}"`;
}

const escapes: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r', '"': '"', '\\': '\\' },
};

function unquote(line: string): string {
  const end = line.lastIndexOf('"');
  const bytes =
    line.startsWith('"') && end > 0
      ? line
          .slice(1, end)
          .replaceAll(/\\(?:([0-7]{3})|(.))/g, (_, octal: string | undefined, letter: string | undefined) =>
            octal === undefined ? (escapes[letter ?? ''] ?? '') : String.fromCharCode(Number.parseInt(octal, 8)),
          )
      : line;
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

const pack = promisify(deflate);

/** Adds an object to a view, or to any repository; answers its id. */
export async function writeObject(
  repository: GitRepository,
  object: { readonly format: ObjectFormat; readonly type: 'commit' | 'tree'; readonly content: string },
): Promise<string> {
  const content = Buffer.from(object.content);
  const whole = Buffer.concat([Buffer.from(`${object.type} ${content.length}\0`), content]);
  const oid = createHash(object.format).update(whole).digest('hex');
  const folder = join(repository.gitDir, 'objects', oid.slice(0, 2));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, oid.slice(2)), await pack(whole), { mode: 0o444, flag: 'wx' }).catch(ifThere);
  return oid;
}

function ifThere(error: unknown): void {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
}
