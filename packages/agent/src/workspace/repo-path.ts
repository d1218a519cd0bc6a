import { RepoPath, type Side } from '@drydock/core';
import { z } from 'zod';
import { unspell } from '../tools/visible-text.ts';
import type { Ref } from './workspace.ts';

/**
 * A path as a tool takes it. It only ever names an entry of a commit's tree: no file system is asked, so what would
 * leave a folder there (`~`, `/proc`, links, drive letters, percent signs) is just a name that no tree holds.
 */
export const ToolPath = z
  .string()
  .max(4096)
  .transform(unspell)
  .pipe(RepoPath)
  .describe('Path inside the repository, such as src/app.ts');

/** A folder: as a path, with or without a slash at its end; `.` and nothing are the root. */
export const ToolFolder = z
  .string()
  .max(4096)
  .transform((folder) => unspell(folder).replace(/^\.\/|\/$/g, ''))
  .pipe(z.union([z.literal(['', '.']).transform(() => null), RepoPath]))
  .describe('Folder inside the repository; without it, all of it');

/** Which commit to look at. */
export const ToolRef = z
  .enum(['head', 'base'])
  .default('head')
  .describe('head: the merge request; base: the code before it');

/** The commit that holds a side of the diff. */
export function refOf(side: Side): Ref {
  return side === 'new' ? 'head' : 'base';
}

/** The side of the diff that a commit holds. */
export function sideOf(ref: Ref): Side {
  return ref === 'head' ? 'new' : 'old';
}
