import type { FileDiff } from '@drydock/core';
import {
  ObjectReader,
  fetchObjects,
  listDiff,
  listTree,
  readDiff,
  type GitRepository,
  type TreeEntry,
} from '@drydock/git';
import type { Checkout } from '../workspace/git-checkout.ts';
import { attributeFolders, readAttributes, type Attributes, type AttributesFile } from './git-attributes.ts';

/** What the merge request changes, and what the target branch says of its files. */
export interface Change {
  readonly files: readonly FileDiff[];
  readonly attributes: Attributes;
}

/** Folders asked for in one call of git, whose arguments they are. */
const foldersPerCall = 200;
const maxFolders = 2000;
const maxAttributesBytes = 1 << 20;

/** Reads the diff with git, never from a forge. All the blobs it needs are fetched in one request. */
export async function readChange(checkout: Checkout, signal: AbortSignal): Promise<Change> {
  const { target, refs } = checkout;
  const range = { repo: target.repo, baseSha: refs.baseSha, headSha: refs.headSha };
  const { blobs, paths } = await listDiff(range, signal);
  const entries = await listAttributes(checkout, paths, signal);
  await fetchObjects({ ...target, oids: [...blobs, ...entries.map((entry) => entry.oid)] }, signal);
  const [files, attributes] = await Promise.all([
    readDiff(range, signal),
    readAttributeFiles(target.repo, entries, signal),
  ]);
  return { files, attributes: readAttributes(attributes) };
}

/** The `.gitattributes` of the target branch that could speak of these paths. */
async function listAttributes(
  { target, refs }: Checkout,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly TreeEntry[]> {
  const names = attributeFolders(paths)
    .slice(0, maxFolders)
    .map((folder) => `${folder}.gitattributes`);
  const calls = Array.from({ length: Math.ceil(names.length / foldersPerCall) }, (_, call) =>
    listTree(
      {
        repo: target.repo,
        revision: refs.startSha,
        paths: names.slice(call * foldersPerCall, (call + 1) * foldersPerCall),
      },
      signal,
    ),
  );
  const wanted = new Set(names);
  return (await Promise.all(calls)).flat().filter(({ path, mode }) => wanted.has(path) && mode.startsWith('100'));
}

async function readAttributeFiles(
  repo: GitRepository,
  entries: readonly TreeEntry[],
  signal: AbortSignal,
): Promise<readonly AttributesFile[]> {
  await using reader = new ObjectReader({ repo });
  const files: AttributesFile[] = [];
  for (const { oid, path } of entries) {
    const object = await reader.read(oid, { maxBytes: maxAttributesBytes, signal });
    if (object.kind !== 'found') continue;
    files.push({ folder: path.slice(0, -'.gitattributes'.length), text: object.content.toString('utf8') });
  }
  return files;
}
