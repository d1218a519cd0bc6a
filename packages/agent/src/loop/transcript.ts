/**
 * The conversation so far, and where its caching breakpoints stand.
 *
 * The API reads a prompt in the order tools, system, messages, and takes at most four breakpoints. Ours: after the
 * system prompt (the same for every review), after the task (the same for every attempt), after the last request, and
 * at the end of this one. The third makes the fourth's look-back of 20 blocks not matter, however many calls a turn had.
 * Breakpoints stand in user messages only: the model's own blocks go back unchanged.
 */
import type {
  AssistantBlock,
  ModelRequest,
  RawBlock,
  RequestMessage,
  RequestText,
  RequestToolResult,
  ToolDescription,
} from './model.ts';

/** What stays the same from the first request to the last. */
export interface TranscriptHead {
  readonly model: string;
  readonly system: string;
  readonly tools: readonly ToolDescription[];
  /** The task, as one user message. */
  readonly task: string;
}

type UserBlock = RequestText | RequestToolResult;

const mark = { cache_control: { type: 'ephemeral' } } as const;

/** Stands in for a result that was dropped. */
const droppedResult = '[dropped to make room; call the tool again if you need it]';

/** Stands in for a turn without content, which the API does not take back. */
const emptyTurn: RawBlock = { type: 'text', text: '(no answer)' };

/** Grows by turns; drops old tool results when the model's context is full. */
export class Transcript {
  readonly #head: TranscriptHead;
  readonly #messages: RequestMessage[];
  /** Number of messages in the request before this one. */
  #sentMessages = 0;

  constructor(head: TranscriptHead) {
    this.#head = head;
    this.#messages = [{ role: 'user', content: [{ type: 'text', text: head.task }] }];
  }

  /** The request to send now. Asking again without a change gives the same bytes. */
  request(maxTokens: number): ModelRequest {
    const { model, system, tools } = this.#head;
    const marked = new Set([0, this.#lastUserBefore(this.#sentMessages), this.#lastUserBefore(this.#messages.length)]);
    return {
      model,
      max_tokens: maxTokens,
      system: [{ type: 'text', text: system, ...mark }],
      tools,
      messages: this.#messages.map((message, index) => (marked.has(index) ? withMark(message) : message)),
    };
  }

  /** A request was answered: its end is a breakpoint of the next one. */
  noteAnswered(): void {
    this.#sentMessages = this.#messages.length;
  }

  /** Takes the model's turn. A turn that goes on after a pause belongs to the same message. */
  addTurn(content: readonly AssistantBlock[]): void {
    const blocks = content.filter((block) => !isBlank(block)).map((block) => block.raw);
    const last = this.#messages.at(-1);
    if (last?.role === 'assistant') {
      this.#messages[this.#messages.length - 1] = { role: 'assistant', content: [...last.content, ...blocks] };
      return;
    }
    this.#messages.push({ role: 'assistant', content: blocks.length === 0 ? [emptyTurn] : blocks });
  }

  /** Answers every call of the last turn in one message. No text beside results: models take it for the user's turn. */
  addResults(results: readonly RequestToolResult[]): void {
    this.#messages.push({ role: 'user', content: results });
  }

  /** Says something of our own after a turn without calls. */
  addText(text: string): void {
    this.#messages.push({ role: 'user', content: [{ type: 'text', text }] });
  }

  /** Drops the older half of the tool results still held. False: there is nothing left to drop. */
  shrink(): boolean {
    const held = this.#messages.flatMap((message) =>
      message.role === 'user' ? message.content.filter((block) => isDroppable(block)) : [],
    );
    if (held.length === 0) return false;
    const dropped = new Set<UserBlock>(held.slice(0, Math.ceil(held.length / 2)));
    for (const [index, message] of this.#messages.entries()) {
      if (message.role !== 'user') continue;
      const content = message.content.map((block) =>
        dropped.has(block) && block.type === 'tool_result' ? { ...block, content: droppedResult } : block,
      );
      this.#messages[index] = { role: 'user', content };
    }
    return true;
  }

  #lastUserBefore(count: number): number {
    for (let index = count - 1; index > 0; index -= 1) {
      if (this.#messages[index]?.role === 'user') return index;
    }
    return 0;
  }
}

function withMark(message: RequestMessage): RequestMessage {
  if (message.role === 'assistant') return message;
  const last = message.content.length - 1;
  return { role: 'user', content: message.content.map((block, at) => (at === last ? { ...block, ...mark } : block)) };
}

function isDroppable(block: UserBlock): boolean {
  return block.type === 'tool_result' && block.content.length > 2 * droppedResult.length;
}

/** The API refuses text of white space alone, which models do write. */
function isBlank(block: AssistantBlock): boolean {
  return block.kind === 'text' && block.text.trim() === '';
}
