import { findFileDiff, type FileDiff, type NotRead, type Side } from '@drydock/core';
import { FindingLog } from './findings/finding-log.ts';

/** A changed file, and why the review does not look at it; null: it does. */
export interface ReviewedFile {
  readonly diff: FileDiff;
  readonly leftOut: string | null;
}

/** How the model ended the review. */
export interface FinishedReview {
  readonly summary: string;
  readonly notRead: readonly NotRead[];
}

/** A review while it grows: what is in it, what was looked at, what was found. */
export class ReviewSession {
  readonly files: readonly ReviewedFile[];
  readonly mayOfferSuggestions: boolean;
  readonly log = new FindingLog();
  readonly #byDiff: ReadonlyMap<FileDiff, ReviewedFile>;
  readonly #opened = new Set<ReviewedFile>();
  #finished: FinishedReview | null = null;
  #isReminded = false;

  constructor(facts: { readonly files: readonly ReviewedFile[]; readonly mayOfferSuggestions: boolean }) {
    this.files = facts.files;
    this.mayOfferSuggestions = facts.mayOfferSuggestions;
    this.#byDiff = new Map(facts.files.map((file) => [file.diff, file]));
  }

  get finished(): FinishedReview | null {
    return this.#finished;
  }

  /** The changed file of a path on that side; undefined when it was not changed. */
  fileAt(path: string, side: Side): ReviewedFile | undefined {
    const diff = findFileDiff(
      this.files.map((file) => file.diff),
      { path, side },
    );
    return diff === undefined ? undefined : this.#byDiff.get(diff);
  }

  /** The model has looked at this path. */
  noteOpened(path: string, side: Side): void {
    const file = this.fileAt(path, side);
    if (file !== undefined) this.#opened.add(file);
  }

  /** Changed files that were to be read, have something to read, and were never opened. */
  unopened(): readonly ReviewedFile[] {
    return this.files.filter((file) => file.leftOut === null && file.diff.rows.count > 0 && !this.#opened.has(file));
  }

  /** True once: the first time that files were forgotten. */
  remindOnce(): boolean {
    const isFirst = !this.#isReminded;
    this.#isReminded = true;
    return isFirst;
  }

  /** Something was looked at or found: there is a review to speak of. */
  get hasBegun(): boolean {
    return this.#opened.size > 0 || this.log.findings.length > 0;
  }

  finish(review: FinishedReview): void {
    this.#finished = review;
  }
}
