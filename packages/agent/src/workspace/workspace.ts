/** Which commit a tool looks at: the head of the merge request, or its merge base. */
export type Ref = 'head' | 'base';

/** A path of a commit's tree that is no folder. */
export interface TreeFile {
  readonly path: string;
  readonly kind: 'file' | 'symlink' | 'submodule';
}

/** What stands at a path. Nothing is followed, entered, filtered or fetched from elsewhere. */
export type PathContent =
  /** Lines as git counts them: ended by a line feed alone, which they are without. */
  | { readonly kind: 'text'; readonly lines: readonly string[] }
  /** The link's target text, as data. */
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'submodule'; readonly commit: string }
  | { readonly kind: 'binary' }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'folder' }
  | { readonly kind: 'absent' };

/** Files of a commit, ordered by path. */
export interface FileListing {
  readonly files: readonly TreeFile[];
  /** There are more than anybody would read. */
  readonly isCut: boolean;
}

/** Who last changed a line of the head. */
export interface BlamedLine {
  /** 1-based. */
  readonly line: number;
  readonly commit: string;
  /** Milliseconds since the epoch, as the author's machine had it. */
  readonly authoredAtMs: number;
  readonly author: string;
}

/** A commit of the head's history. */
export interface LoggedCommit {
  readonly commit: string;
  /** Milliseconds since the epoch, as the author's machine had it. */
  readonly authoredAtMs: number;
  readonly author: string;
  readonly subject: string;
}

/** The repository as tools see it: read only, at two commits. Throws `TransientError` when the gateway cannot serve it. */
export interface Workspace {
  read(ref: Ref, path: string, signal: AbortSignal): Promise<PathContent>;
  /** Files below a folder; null: all. */
  list(ref: Ref, folder: string | null, signal: AbortSignal): Promise<FileListing>;
  /** Reads many files, fetching them in batches; what is no text is passed over. */
  readTexts(
    ref: Ref,
    paths: readonly string[],
    signal: AbortSignal,
  ): AsyncIterable<{ readonly path: string; readonly lines: readonly string[] }>;
  /** Of the head; lines are 1-based and inclusive. Lines of before a rename belong to the commit that renamed. */
  blame(path: string, startLine: number, endLine: number, signal: AbortSignal): Promise<readonly BlamedLine[]>;
  /** Of the head, newest first. A path narrows it to commits that touched it. */
  log(path: string | null, limit: number, signal: AbortSignal): Promise<readonly LoggedCommit[]>;
}
