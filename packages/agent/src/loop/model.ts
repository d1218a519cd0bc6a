/**
 * The port to the model that reviews, in the words of the Messages protocol. Whoever implements it never repeats a
 * request by itself and hands out whole turns only: a stream that broke is an error, so no tool ever runs on half a turn.
 */

/** A block of the model's turn. `raw` goes back to the model as it came, unknown fields included. */
export type AssistantBlock =
  | { readonly kind: 'text'; readonly text: string; readonly raw: RawBlock }
  | { readonly kind: 'tool-use'; readonly call: ToolCall; readonly raw: RawBlock }
  /** Thinking, compaction, server tools: not ours to read. */
  | { readonly kind: 'opaque'; readonly raw: RawBlock }
  /** A type that this version does not know. */
  | { readonly kind: 'unknown'; readonly raw: RawBlock };

/** A block as it stands on the wire. */
export type RawBlock = Readonly<Record<string, unknown>> & { readonly type: string };

/** A tool that the model calls. `input` is null when what it wrote is no JSON object. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>> | null;
}

const stopReasons = [
  'end_turn',
  'tool_use',
  'stop_sequence',
  'max_tokens',
  'pause_turn',
  'refusal',
  'model_context_window_exceeded',
] as const;

/** Why the model stopped; `unknown` is anything that this version does not know. */
export type StopReason = (typeof stopReasons)[number] | 'unknown';

/** Reads a stop reason off the wire. */
export function toStopReason(text: string | null): StopReason {
  return stopReasons.find((known) => known === text) ?? 'unknown';
}

/** One whole reply of the model. */
export interface ModelTurn {
  readonly content: readonly AssistantBlock[];
  readonly stopReason: StopReason;
}

/** Up to where a prompt is the same as in the next request, so that its cost is paid once. */
export interface CacheMark {
  readonly cache_control?: { readonly type: 'ephemeral' };
}

/** A text block of a request. */
export type RequestText = { readonly type: 'text'; readonly text: string } & CacheMark;

/** What a tool came to. */
export type RequestToolResult = {
  readonly type: 'tool_result';
  readonly tool_use_id: string;
  readonly content: string;
  readonly is_error?: true;
} & CacheMark;

/** One side's part of the conversation. */
export type RequestMessage =
  | { readonly role: 'user'; readonly content: readonly (RequestText | RequestToolResult)[] }
  | { readonly role: 'assistant'; readonly content: readonly RawBlock[] };

/** A tool as the model is told of it. */
export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
}

/** One request; the same facts are the same bytes. */
export interface ModelRequest {
  readonly model: string;
  readonly max_tokens: number;
  readonly system: readonly RequestText[];
  readonly tools: readonly ToolDescription[];
  readonly messages: readonly RequestMessage[];
}

/**
 * The model. Throws `TransientError` for what may work when it is sent again unchanged, `BlockedError` for what needs a
 * person, `TerminalError` otherwise: `model.context_full` when the request is too long. Budget codes are the gateway's.
 */
export interface Model {
  reply(request: ModelRequest, signal: AbortSignal): Promise<ModelTurn>;
}
