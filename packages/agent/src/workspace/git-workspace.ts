import { ToolError, type DiffRefs, type FileDiff, type Sha } from '@drydock/core';
import {
  ObjectReader,
  fetchObjects,
  listTree,
  readBlame,
  readLog,
  runGit,
  type FetchTarget,
  type TreeEntry,
} from '@drydock/git';
import { isBinary, toLines } from './file-text.ts';
import type { Checkout } from './git-checkout.ts';
import type { BlamedLine, FileListing, LoggedCommit, PathContent, Ref, TreeFile, Workspace } from './workspace.ts';

type Entry = Pick<TreeEntry, 'mode' | 'oid' | 'path'>;

const maxFileBytes = 4 << 20;
const maxListedFiles = 200_000;
const maxListingBytes = 64 << 20;
const blobsPerFetch = 250;
const maxVersions = 300;
const gitTimeoutMs = 60_000;

/** Names of files that hold no text: a search does not even fetch them. */
const noText =
  /\.(?:png|jpe?g|gif|webp|avif|ico|bmp|tiff?|pdf|zip|gz|tgz|bz2|xz|zst|7z|rar|jar|war|class|so|dylib|dll|exe|o|a|wasm|woff2?|ttf|otf|eot|mp[34]|mov|avi|webm|ogg|wav|bin|dat|db|sqlite|parquet|pyc|psd|keystore|jks)$/i;

/** Reads the object database of a checkout. What is missing there is fetched by id from the gateway, in batches. */
export class GitWorkspace implements Workspace, AsyncDisposable {
  readonly #target: FetchTarget;
  readonly #refs: DiffRefs;
  readonly #reader: ObjectReader;
  readonly #listings = new Map<Ref, Promise<readonly TreeEntry[]>>();
  /** Entries that the diff has told: most of what is read, at no cost. */
  readonly #known: Readonly<Record<Ref, ReadonlyMap<string, Entry>>>;

  constructor(checkout: Pick<Checkout, 'target' | 'refs'>, diff: readonly FileDiff[]) {
    this.#target = checkout.target;
    this.#refs = checkout.refs;
    this.#reader = new ObjectReader({ repo: checkout.target.repo });
    const named = diff.filter((file) => file.pathIsValid);
    this.#known = {
      head: entriesOf(named.map((file) => ({ mode: file.newMode, oid: file.newOid, path: file.newPath }))),
      base: entriesOf(named.map((file) => ({ mode: file.oldMode, oid: file.oldOid, path: file.oldPath }))),
    };
  }

  async read(ref: Ref, path: string, signal: AbortSignal): Promise<PathContent> {
    const entry = this.#known[ref].get(path) ?? (await this.#entryAt(ref, path, signal));
    if (entry === 'folder') return { kind: 'folder' };
    if (entry === null) return { kind: 'absent' };
    if (entry.mode === '160000') return { kind: 'submodule', commit: entry.oid };
    const content = await this.#readBlob(entry.oid, signal);
    if (content === null) return { kind: 'too-large' };
    if (entry.mode === '120000') return { kind: 'symlink', target: content.toString('utf8') };
    return isBinary(content) ? { kind: 'binary' } : { kind: 'text', lines: toLines(content) };
  }

  async list(ref: Ref, folder: string | null, signal: AbortSignal): Promise<FileListing> {
    const entries = await this.#listing(ref, signal);
    const inside = folder === null ? entries : entries.filter((entry) => entry.path.startsWith(`${folder}/`));
    return { files: inside.slice(0, maxListedFiles).map(toTreeFile), isCut: inside.length > maxListedFiles };
  }

  async *readTexts(
    ref: Ref,
    paths: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly path: string; readonly lines: readonly string[] }> {
    const wanted = new Set(paths);
    const isText = ({ path, mode }: TreeEntry) => wanted.has(path) && mode.startsWith('100') && !noText.test(path);
    const entries = (await this.#listing(ref, signal)).filter(isText);
    for (let at = 0; at < entries.length; at += blobsPerFetch) {
      const batch = entries.slice(at, at + blobsPerFetch);
      await this.#fetch(
        batch.map((entry) => entry.oid),
        signal,
      );
      for (const { path, oid } of batch) {
        const content = await this.#readBlob(oid, signal);
        if (content !== null && !isBinary(content)) yield { path, lines: toLines(content) };
      }
    }
  }

  async blame(path: string, startLine: number, endLine: number, signal: AbortSignal): Promise<readonly BlamedLine[]> {
    await this.#fetch(await this.#versionsOf(path, signal), signal);
    const lines = { start: startLine, end: endLine };
    const revision = this.#refs.headSha;
    const repo = this.#target.repo;
    const ranges = await readBlame({ repo, revision, path, lines, followRenames: false }, signal);
    return ranges.flatMap(({ sha, startLine: first, lineCount, authorName, authoredAtMs }) =>
      Array.from({ length: lineCount }, (_, at) => ({
        line: first + at,
        commit: sha,
        authoredAtMs,
        author: authorName,
      })),
    );
  }

  async log(path: string | null, limit: number, signal: AbortSignal): Promise<readonly LoggedCommit[]> {
    const paths = path === null ? [] : [path];
    const head = this.#refs.headSha;
    const entries = await readLog({ repo: this.#target.repo, head, paths, maxCount: limit }, signal);
    return entries.map(({ sha, authoredAtMs, authorName, subject }) => ({
      commit: sha,
      authoredAtMs,
      author: authorName,
      subject,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }

  async #entryAt(ref: Ref, path: string, signal: AbortSignal): Promise<Entry | 'folder' | null> {
    const entries = await listTree(
      { repo: this.#target.repo, revision: this.#shaOf(ref), paths: [path], maxOutputBytes: maxListingBytes },
      signal,
    );
    return entries.find((entry) => entry.path === path) ?? (entries.length > 0 ? 'folder' : null);
  }

  /** Kept for the run; a failure is not. */
  #listing(ref: Ref, signal: AbortSignal): Promise<readonly TreeEntry[]> {
    const known = this.#listings.get(ref);
    if (known !== undefined) return known;
    const { repo } = this.#target;
    const listing = listTree({ repo, revision: this.#shaOf(ref), maxOutputBytes: maxListingBytes }, signal);
    this.#listings.set(ref, listing);
    listing.catch(() => this.#listings.delete(ref));
    return listing;
  }

  /** Null: too large. */
  async #readBlob(oid: Sha, signal: AbortSignal): Promise<Buffer | null> {
    const options = { maxBytes: maxFileBytes, signal };
    let object = await this.#reader.read(oid, options);
    if (object.kind === 'missing') {
      await this.#fetch([oid], signal);
      object = await this.#reader.read(oid, options);
    }
    if (object.kind === 'missing') throw new ToolError('tool.not_found', 'The content of this file is not available.');
    return object.kind === 'found' ? object.content : null;
  }

  async #fetch(oids: readonly string[], signal: AbortSignal): Promise<void> {
    await fetchObjects({ ...this.#target, oids }, signal);
  }

  /** The blobs that a path had in the history that is here. */
  async #versionsOf(path: string, signal: AbortSignal): Promise<readonly string[]> {
    const options = ['--raw', '-z', '-m', '--no-abbrev', '--no-renames', '--format=', `--max-count=${maxVersions}`];
    const { stdout } = await runGit({
      repo: this.#target.repo,
      args: ['log', ...options, '--end-of-options', this.#refs.headSha, '--', path],
      timeoutMs: gitTimeoutMs,
      maxOutputBytes: maxListingBytes,
      signal,
    });
    const change = /^:(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) [AMDT]$/;
    const oids = stdout
      .toString('latin1')
      .split(/[\0\n]/)
      .flatMap((field) => {
        const [, oldMode = '', newMode = '', oldOid = '', newOid = ''] = change.exec(field) ?? [];
        return [...(isFileMode(oldMode) ? [oldOid] : []), ...(isFileMode(newMode) ? [newOid] : [])];
      });
    return [...new Set(oids)];
  }

  #shaOf(ref: Ref): Sha {
    return ref === 'head' ? this.#refs.headSha : this.#refs.baseSha;
  }
}

function entriesOf(entries: readonly Entry[]): ReadonlyMap<string, Entry> {
  return new Map(entries.filter(({ mode }) => mode !== '000000').map((entry) => [entry.path, entry]));
}

function isFileMode(mode: string): boolean {
  return mode.startsWith('100') || mode === '120000';
}

function toTreeFile({ path, mode }: TreeEntry): TreeFile {
  return { path, kind: mode === '120000' ? 'symlink' : mode === '160000' ? 'submodule' : 'file' };
}
