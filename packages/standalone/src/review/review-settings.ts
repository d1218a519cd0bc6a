import type {
  Clock,
  ForgeId,
  ReviewPolicy,
  ReviewReport,
  RunUsage,
  ProgressEntry,
  Publication,
  Secret,
} from '@drydock/core';
import type { ChangeWanted } from './local-change.ts';

/** What is to be reviewed: a range of a repository of this machine, or a merge request by the address people open. */
export type ReviewSubject =
  | { readonly kind: 'local'; readonly wanted: Omit<ChangeWanted, 'searchPath'> }
  | { readonly kind: 'merge-request'; readonly url: string };

/** Who reviews. `scripted`: a few fixed rules, without a key and without cost. */
export type ReviewModel =
  | { readonly kind: 'scripted' }
  | {
      readonly kind: 'server';
      readonly baseUrl: string;
      readonly apiKey: Secret | null;
      /** Null: the model of the policy. */
      readonly name: string | null;
      /** Prices beside the built-in ones, as DRYDOCK_MODEL_PRICES takes them; null: none. */
      readonly pricesJson: string | null;
      readonly silenceMs: number;
      readonly callMs: number;
    };

/** The GitLab that merge requests are read from. Its token goes to this address and to no other. */
export interface ReviewForge {
  readonly id: ForgeId;
  readonly baseUrl: string;
  /** Null: not set. */
  readonly token: Secret | null;
}

/** Settings of one review. */
export interface ReviewSettings {
  readonly subject: ReviewSubject;
  readonly model: ReviewModel;
  readonly policy: ReviewPolicy;
  /** Null: what policy and repository say. */
  readonly maxCostUsd: number | null;
  /** Globs; none: all that policy and repository leave. */
  readonly only: readonly string[];
  readonly skip: readonly string[];
  /** A folder of this user alone, for answers of the model; null: nothing is kept. */
  readonly cacheDir: string | null;
  readonly forge: ReviewForge;
  /** Those of the installation that publishes, so that it knows our comments again; none: nothing can be posted. */
  readonly markerKeys: readonly Secret[];
  readonly proxy: {
    readonly httpProxy: string | null;
    readonly httpsProxy: string | null;
    readonly noProxy: string | null;
  };
  readonly caPem: string | null;
  /** Where git is found, in the manner of PATH. */
  readonly searchPath: string;
  /** Variables of the user that git itself heeds, such as HOME and GIT_DIR. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly tempDir: string;
}

/** What happens while a review runs. */
export type ReviewProgress =
  | { readonly kind: 'change'; readonly told: string }
  | { readonly kind: 'agent'; readonly entry: ProgressEntry }
  /** Something odd that was handled, or that a person must act on. */
  | { readonly kind: 'note'; readonly level: 'warn' | 'error'; readonly text: string };

/** How a review ended. `why` and `hint` are sentences for people; `usage` null: no run was begun. */
export type ReviewEnd =
  | {
      readonly kind: 'reviewed';
      readonly report: ReviewReport;
      /** For links from the report; null: a merge request. */
      readonly rootDir: string | null;
      /** Null: nothing was posted. */
      readonly publication: Publication | null;
    }
  | { readonly kind: 'nothing'; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string }
  | { readonly kind: 'bad-config'; readonly why: string }
  | { readonly kind: 'over-budget'; readonly why: string; readonly usage: RunUsage | null }
  | { readonly kind: 'failed'; readonly why: string; readonly code: string; readonly usage: RunUsage | null }
  | { readonly kind: 'cancelled'; readonly usage: RunUsage | null };

/** What a review needs of its caller. */
export interface ReviewPorts {
  readonly clock: Clock;
  readonly onProgress: (progress: ReviewProgress) => void;
  /** Asked with the review before anything is written to the merge request; null: nothing is ever written. */
  readonly mayPost: ((report: ReviewReport) => Promise<boolean>) | null;
  /** Ends the review, agent included. */
  readonly signal: AbortSignal;
}
