/**
 * What to do after a turn of the model. Every way a turn can stop has its row in the reference of the Messages API;
 * what is new to this version ends the review with what there is.
 */
import type { ErrorCode } from '@drydock/core';
import { unreachable } from '@drydock/core';
import type { AssistantBlock, ModelTurn, ToolCall } from './model.ts';

/** How often the same remedy was tried since tools last ran. */
export interface LoopTries {
  readonly empty: number;
  readonly unfinished: number;
  readonly cut: number;
  readonly paused: number;
}

/** No remedy tried yet. */
export const noTries: LoopTries = { empty: 0, unfinished: 0, cut: 0, paused: 0 };

/** Why a review ended before the model finished it. `why` is for people: no model text, nothing of the prompt. */
export interface EarlyEnd {
  readonly code: ErrorCode;
  readonly why: string;
}

/** The next step. A discarded turn leaves no trace in the conversation. */
export type TurnPlan =
  /** Run these and answer each; `thenEnd`: and go no further. */
  | { readonly kind: 'run-tools'; readonly calls: readonly ToolCall[]; readonly thenEnd: EarlyEnd | null }
  /** Keep the turn and say this. */
  | { readonly kind: 'say'; readonly text: string; readonly tried: keyof LoopTries }
  /** Keep the turn and let the model go on. */
  | { readonly kind: 'continue-pause' }
  /** Discard the turn; ask again with more room for the answer. */
  | { readonly kind: 'raise-output-cap' }
  /** Discard the turn; ask again with a shorter conversation. */
  | { readonly kind: 'shrink' }
  | { readonly kind: 'end'; readonly end: EarlyEnd };

const maxPauses = 5;

const goOn = 'Please go on.';
const finishNow =
  'The review is not finished. If there is more to look at, go on with the tools. Else report what is still open with report_finding and end with finish_review.';

/** Decides on a turn. */
export function planTurn(turn: ModelTurn, tries: LoopTries): TurnPlan {
  const calls = turn.content.flatMap((block) => (block.kind === 'tool-use' ? [block.call] : []));
  const { stopReason } = turn;
  if (stopReason === 'unknown' || turn.content.some((block) => block.kind === 'unknown')) {
    return { kind: 'run-tools', calls, thenEnd: strangeAnswer };
  }
  switch (stopReason) {
    case 'end_turn':
    case 'tool_use':
    case 'stop_sequence':
      return calls.length > 0 ? { kind: 'run-tools', calls, thenEnd: null } : planEndOfTurn(turn, tries);
    case 'max_tokens':
      return planCut(turn, calls, tries);
    case 'pause_turn':
      return tries.paused < maxPauses ? { kind: 'continue-pause' } : { kind: 'end', end: noEnd };
    case 'refusal':
      return { kind: 'end', end: refused };
    case 'model_context_window_exceeded':
      return { kind: 'shrink' };
    default:
      return unreachable(stopReason);
  }
}

function planEndOfTurn(turn: ModelTurn, tries: LoopTries): TurnPlan {
  if (turn.content.every(isEmpty)) {
    return tries.empty === 0 ? { kind: 'say', text: goOn, tried: 'empty' } : { kind: 'end', end: noEnd };
  }
  return tries.unfinished === 0 ? { kind: 'say', text: finishNow, tried: 'unfinished' } : { kind: 'end', end: noEnd };
}

/** A call that the cap cut is not the call the model meant, even if its input happens to be whole. */
function planCut(turn: ModelTurn, calls: readonly ToolCall[], tries: LoopTries): TurnPlan {
  if (turn.content.at(-1)?.kind === 'tool-use') return { kind: 'raise-output-cap' };
  if (calls.length > 0) return { kind: 'run-tools', calls, thenEnd: null };
  if (turn.content.every(isEmpty)) return { kind: 'raise-output-cap' };
  return tries.cut === 0 ? { kind: 'say', text: goOn, tried: 'cut' } : { kind: 'end', end: tooLong };
}

function isEmpty(block: AssistantBlock): boolean {
  return block.kind === 'text' ? block.text.trim() === '' : block.kind === 'opaque';
}

const strangeAnswer: EarlyEnd = {
  code: 'model.bad_answer',
  why: 'The model answered in a way that this version does not know.',
};
const noEnd: EarlyEnd = { code: 'run.incomplete', why: 'The model stopped before it had finished the review.' };
const refused: EarlyEnd = { code: 'model.refused', why: 'The model declined to go on with this change.' };
const tooLong: EarlyEnd = { code: 'run.incomplete', why: 'The model wrote more than a turn may hold.' };

/** The ends that are not a turn's doing. */
export const earlyEnds = {
  outputCap: tooLong,
  contextFull: { code: 'model.context_full', why: "The change is too large for the model's context." },
  turns: { code: 'budget.turns_spent', why: 'The number of model turns for one review is used up.' },
  calls: { code: 'budget.turns_spent', why: 'The number of tool calls for one review is used up.' },
  time: { code: 'budget.time_spent', why: 'The time for one review is used up.' },
} as const satisfies Readonly<Record<string, EarlyEnd>>;
