import type { ClaudeFault } from './claude-fault.ts';
import type { ClaudeRequest } from './claude-request.ts';

/** A piece of a scripted answer. */
export type ClaudeReplyBlock =
  | { readonly kind: 'text'; readonly text: string }
  /** Sent only if the request asked for thinking. */
  | { readonly kind: 'thinking'; readonly text: string }
  | {
      readonly kind: 'tool-use';
      readonly name: string;
      readonly input: unknown;
      /** Streamed in place of the input's JSON: a cut or broken input. */
      readonly inputJson?: string;
    }
  /** Sent as it is: an unknown type, a server tool, a compaction. */
  | { readonly kind: 'raw'; readonly block: Readonly<Record<string, unknown>> & { readonly type: string } };

/** What a script answers. The fake adds ids, usage and caching, and cuts at `max_tokens` and stop sequences. */
export interface ClaudeReply {
  readonly content: readonly ClaudeReplyBlock[];
  /** As the API spells it; any text, so that an unknown one can be tried. */
  readonly stopReason: string;
  readonly stopDetails?: { readonly category: string | null; readonly explanation: string | null };
  /** What goes wrong on the way. */
  readonly fault?: ClaudeFault;
}

/** Where in the course of things a request stands. Both are 1-based. */
export interface ClaudeScriptPlace {
  /** The turn of this conversation: one more than the assistant messages in it. */
  readonly turn: number;
  /** The request of this server, over all conversations, retries included. */
  readonly requestCount: number;
}

/** The model: a function from a checked request to an answer. */
export type ClaudeScript = (request: ClaudeRequest, place: ClaudeScriptPlace) => ClaudeReply | Promise<ClaudeReply>;

/** A call of one tool, to put into `reply.blocks`. */
export function toolUse(name: string, input: unknown): ClaudeReplyBlock {
  return { kind: 'tool-use', name, input };
}

/** Builders of scripted answers. */
export const reply = {
  /** A text, then the end of the turn. */
  text: (text: string): ClaudeReply => ({ content: [{ kind: 'text', text }], stopReason: 'end_turn' }),

  /** One tool call. */
  toolUse: (name: string, input: unknown): ClaudeReply => reply.blocks([toolUse(name, input)]),

  /** Any blocks; stops for tool use if there is one, else ends the turn. */
  blocks: (content: readonly ClaudeReplyBlock[]): ClaudeReply => ({
    content,
    stopReason: content.some((block) => block.kind === 'tool-use') ? 'tool_use' : 'end_turn',
  }),

  /** Any stop reason, known or not, after the blocks given. */
  stop: (stopReason: string, content: readonly ClaudeReplyBlock[] = []): ClaudeReply => ({ content, stopReason }),

  /** The end of the turn without any content, as it happens after tool results. */
  empty: (): ClaudeReply => ({ content: [], stopReason: 'end_turn' }),

  /** A tool call cut off by `max_tokens` after so many characters of its input. */
  cutToolUse: (name: string, input: unknown, atChar: number): ClaudeReply => ({
    content: [{ kind: 'tool-use', name, input, inputJson: JSON.stringify(input).slice(0, atChar) }],
    stopReason: 'max_tokens',
  }),

  /** A refusal: before any output, or after `partialText`. */
  refusal: (
    facts: { readonly category?: string; readonly explanation?: string; readonly partialText?: string } = {},
  ): ClaudeReply => ({
    content: facts.partialText === undefined ? [] : [{ kind: 'text', text: facts.partialText }],
    stopReason: 'refusal',
    stopDetails: { category: facts.category ?? null, explanation: facts.explanation ?? null },
  }),

  /** A fault, in place of an answer or in the middle of one. */
  fault: (fault: ClaudeFault, during: ClaudeReply = reply.text('Never mind.')): ClaudeReply => ({ ...during, fault }),
};

/** The script that gives these answers one after another; one request more than answers is an error. */
export function inOrder(answers: readonly ClaudeReply[]): ClaudeScript {
  return (_request, { requestCount }) => {
    const answer = answers[requestCount - 1];
    if (answer === undefined) throw new Error(`the script has no answer for request ${String(requestCount)}`);
    return answer;
  };
}
