import { posix } from 'node:path';
import type { Guideline, Sha } from '@drydock/core';
import { listTree, type GitRepository, type ObjectReader, type TreeEntry } from '@drydock/git';

const names = ['REVIEW.md', '.claude/review.md', 'AGENTS.md', 'CLAUDE.md'];
const maxFolders = 200;
const maxPathBytes = 60_000;
const maxFileBytes = 32 * 1024;
const maxTotalBytes = 128 * 1024;
const maxGuidelines = 50;

/** Where guidelines are read: always a commit of the target branch. */
export interface GuidelineSource {
  readonly repo: GitRepository;
  readonly reader: ObjectReader;
  readonly revision: Sha;
}

/**
 * The guidelines that hold for some changed files: those in the root and in the folders above the files, nearest first.
 * Of too many, the root's and then the nearest are kept; of a long one its beginning.
 */
export async function readGuidelines(
  { repo, reader, revision }: GuidelineSource,
  changedPaths: readonly string[],
  signal: AbortSignal,
): Promise<Guideline[]> {
  const paths = candidates(changedPaths);
  const entries = await listTree({ repo, revision, paths }, signal);
  const wanted = new Set(paths);
  const files = entries.filter((entry) => isPlainFile(entry) && wanted.has(entry.path)).sort(byImportance);
  const chosen: Guideline[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const { path, oid } of files) {
    if (chosen.length === maxGuidelines || bytes >= maxTotalBytes) break;
    if (seen.has(oid)) continue; // a copy of one that is here already
    seen.add(oid);
    const text = await readBeginning(reader, oid, Math.min(maxFileBytes, maxTotalBytes - bytes), signal);
    if (text.trim() === '') continue;
    bytes += Buffer.byteLength(text);
    chosen.push({ path, text });
  }
  return chosen.sort((left, right) => depthOf(right.path) - depthOf(left.path));
}

function candidates(changedPaths: readonly string[]): string[] {
  const folders = new Set<string>(['']);
  for (const path of changedPaths) {
    for (let folder = posix.dirname(path); folder !== '.' && folder !== '/'; folder = posix.dirname(folder)) {
      folders.add(`${folder}/`);
    }
  }
  const paths: string[] = [];
  let bytes = 0;
  for (const folder of [...folders].slice(0, maxFolders)) {
    bytes += names.length * Buffer.byteLength(folder);
    if (bytes > maxPathBytes) break; // they become arguments
    paths.push(...names.map((name) => folder + name));
  }
  return paths;
}

function isPlainFile({ mode, pathIsValid }: TreeEntry): boolean {
  return pathIsValid && (mode === '100644' || mode === '100755');
}

/** The root's first, then the deepest. */
function byImportance(left: TreeEntry, right: TreeEntry): number {
  const [leftDepth, rightDepth] = [depthOf(left.path), depthOf(right.path)];
  if (leftDepth === rightDepth) return left.path < right.path ? -1 : 1;
  if (leftDepth === 0 || rightDepth === 0) return leftDepth - rightDepth;
  return rightDepth - leftDepth;
}

/** How many folders deep it holds: a file in `.claude` speaks for the folder above. */
function depthOf(path: string): number {
  return path.replace(/(^|\/)\.claude\/[^/]+$/, '$1x').split('/').length - 1;
}

async function readBeginning(
  reader: ObjectReader,
  oid: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const read = await reader.read(oid, { maxBytes: 16 * maxFileBytes, signal });
  if (read.kind !== 'found' || read.content.includes(0)) return '';
  const isCut = read.content.length > maxBytes;
  const text = read.content.subarray(0, maxBytes).toString('utf8');
  return isCut ? `${text.replace(/\uFFFD+$/, '')}\n[cut here: the file is longer]\n` : text;
}
