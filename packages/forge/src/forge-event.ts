import type { ForgeUser, NumericId, Sha, Trigger } from '@drydock/core';

interface Subject {
  readonly projectId: NumericId;
  /** For people; the id is what counts. */
  readonly projectPath: string;
  readonly iid: number;
  /** Null when the event names no head. */
  readonly headSha: Sha | null;
  /** The forge's own time of the change, milliseconds since the epoch; null: unknown. */
  readonly occurredAtMs: number | null;
}

/** A delivery as a fact, whatever forge it came from. */
export type ForgeEvent =
  | (Subject & { readonly kind: 'merge-request-changed'; readonly trigger: Trigger })
  | (Subject & {
      readonly kind: 'commented';
      readonly noteId: NumericId;
      readonly userId: ForgeUser['id'];
      readonly body: string;
    })
  /** Understood, and never of interest. */
  | { readonly kind: 'ignored'; readonly why: IgnoredWhy }
  /** Of interest, but not of the documented shape; `problems` names the places, never the values. */
  | { readonly kind: 'unreadable'; readonly problems: string };

/** Why a delivery is of no interest. */
export type IgnoredWhy =
  | 'unknown-event'
  | 'unknown-action'
  | 'approval'
  | 'nothing-relevant-changed'
  | 'not-on-a-merge-request'
  | 'comment-edited'
  | 'system-note';
