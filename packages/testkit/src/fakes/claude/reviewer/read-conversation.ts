import type { ClaudeContentBlock, ClaudeRequest } from '../claude-request.ts';
import { blocksOf } from '../claude-request.ts';

/** A tool call of an earlier turn and what came of it. */
export interface PastCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly result: string;
  readonly isError: boolean;
}

/** All calls that have a result, oldest first. The conversation is the reviewer's only memory. */
export function pastCalls(request: ClaudeRequest): readonly PastCall[] {
  const blocks = request.messages.flatMap(blocksOf);
  const results = new Map(
    blocks.flatMap((block) => (block.type === 'tool_result' ? [[block.tool_use_id, block]] : [])),
  );
  return blocks.flatMap((block) => {
    const result = block.type === 'tool_use' ? results.get(block.id) : undefined;
    if (block.type !== 'tool_use' || result === undefined) return [];
    return [{ name: block.name, input: block.input, result: resultText(result), isError: result.is_error === true }];
  });
}

/** What tells calls apart: the tool and exactly its input, in whatever order the keys come. */
export function callKey({ name, input }: { readonly name: string; readonly input: object }): string {
  return `${name} ${JSON.stringify(Object.entries(input).sort(([left], [right]) => (left < right ? -1 : 1)))}`;
}

/** The text of the first message: the task as the agent put it. */
export function firstMessageText(request: ClaudeRequest): string {
  const [first] = request.messages;
  if (first === undefined) return '';
  return blocksOf(first)
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('\n');
}

function resultText(block: Extract<ClaudeContentBlock, { type: 'tool_result' }>): string {
  if (typeof block.content === 'string') return block.content;
  return (block.content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
