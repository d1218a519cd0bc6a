import type { Publication, PublishedComment, ReviewResult, TokenUsage } from '@drydock/core';

/** What `drydock demo --json` prints. Tokens and money are those of the first review. */
export interface DemoReport {
  readonly state: Publication['state'] | 'failed';
  readonly comments: readonly PublishedComment[];
  readonly turns: number;
  readonly tokens: TokenUsage;
  /** Null: the model has no known price. With the scripted model: what the tokens would cost; nothing is paid. */
  readonly costUsd: number | null;
  readonly isPaid: boolean;
  readonly model: string;
  /** Milliseconds by stage of the first review. */
  readonly stagesMs: Readonly<Record<string, number>>;
  /** What the second push changed. */
  readonly secondPush: { readonly resolved: number; readonly repeated: number; readonly added: number };
  /** What was expected and not seen; empty: the demo went well. */
  readonly problems: readonly string[];
}

/** One review as the demo saw it: what the agent handed in and what stands on the merge request. */
export interface SeenReview {
  readonly result: ReviewResult;
  readonly publication: Publication;
  /** Milliseconds of publishing. */
  readonly publishMs: number;
}

/** Puts the report together. */
export function demoReport(
  first: SeenReview,
  second: SeenReview,
  model: { readonly name: string; readonly isPaid: boolean },
  problems: readonly string[],
): DemoReport {
  const { publication, result, publishMs } = first;
  const shown = (comment: PublishedComment) => `${comment.path}\n${comment.category}\n${comment.body}`;
  const before = new Set(publication.comments.map(shown));
  const added = second.publication.comments.filter((comment) => comment.isNew);
  return {
    state: publication.state,
    comments: publication.comments,
    turns: result.turns,
    tokens: publication.usage.tokens,
    costUsd: publication.usage.costUsd,
    isPaid: model.isPaid,
    model: model.name,
    stagesMs: { ...result.stagesMs, publish: Math.round(publishMs) },
    secondPush: {
      resolved: second.publication.resolved,
      repeated: added.filter((comment) => before.has(shown(comment))).length,
      added: added.length,
    },
    problems,
  };
}
