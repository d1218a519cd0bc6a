import type { ClaudeRefusal } from './claude-error.ts';
import { invalidRequest } from './claude-error.ts';
import type { ClaudeMemory } from './claude-memory.ts';
import type { FakeClaudeModel } from './claude-models.ts';
import type { ClaudeContentBlock, ClaudeMessage } from './claude-request.ts';
import { blocksOf } from './claude-request.ts';

/** Roles, empty content, tool calls and their results, thinking, and how the conversation ends. */
export function checkConversation(
  messages: readonly ClaudeMessage[],
  model: FakeClaudeModel,
  memory: ClaudeMemory,
): ClaudeRefusal | null {
  const last = messages.at(-1);
  const isContinuation = last?.role === 'assistant' && memory.isPausedTurn(rawContent(last));
  return (
    checkRoles(messages) ??
    first(messages, (message, index) => checkContent(message, index, index === messages.length - 1)) ??
    first(messages, (message, index) => checkToolCalls(message, index, messages[index + 1], isContinuation)) ??
    first(messages, (message, index) => checkToolResults(message, index, messages[index - 1])) ??
    checkUniqueIds(messages) ??
    first(messages, (message, index) => checkThinkingBlocks(message, index, memory)) ??
    (isContinuation ? null : checkEnd(messages, model))
  );
}

function checkRoles(messages: readonly ClaudeMessage[]): ClaudeRefusal | null {
  if (messages[0]?.role !== 'user') return invalidRequest('messages: first message must use the "user" role');
  return first(messages, (message, index) =>
    message.role === messages[index - 1]?.role
      ? invalidRequest(
          `messages: roles must alternate between "user" and "assistant", but found multiple "${message.role}" roles in a row`,
        )
      : null,
  );
}

function checkContent(message: ClaudeMessage, index: number, isLast: boolean): ClaudeRefusal | null {
  const blocks = blocksOf(message);
  const place = `messages.${String(index)}`;
  if (message.content.length === 0 && !(isLast && message.role === 'assistant')) {
    return invalidRequest(
      `${place}: all messages must have non-empty content except for the optional final assistant message`,
    );
  }
  for (const [at, block] of blocks.entries()) {
    if (block.type === 'text' && block.text === '') {
      return block.cache_control === undefined || block.cache_control === null
        ? invalidRequest('messages: text content blocks must be non-empty')
        : invalidRequest(`${place}.content.${String(at)}.text: cache_control cannot be set for empty text blocks`);
    }
    const isMisplaced =
      message.role === 'user'
        ? ['tool_use', 'thinking', 'redacted_thinking', 'opaque'].includes(block.type)
        : ['tool_result', 'image'].includes(block.type);
    if (isMisplaced) {
      return invalidRequest(`${place}: \`${block.type}\` blocks cannot be in \`${message.role}\` messages`);
    }
  }
  return null;
}

function checkToolCalls(
  message: ClaudeMessage,
  index: number,
  next: ClaudeMessage | undefined,
  isContinuation: boolean,
): ClaudeRefusal | null {
  const calls = toolUseIds(message);
  if (calls.length === 0 || (next === undefined && isContinuation)) return null;
  const leading = leadingResultIds(next);
  const unanswered = calls.filter((id) => !leading.includes(id));
  if (unanswered.length === 0) return null;
  return invalidRequest(
    `messages.${String(index)}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${unanswered.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );
}

function checkToolResults(
  message: ClaudeMessage,
  index: number,
  previous: ClaudeMessage | undefined,
): ClaudeRefusal | null {
  const known = previous === undefined ? [] : toolUseIds(previous);
  const seen = new Set<string>();
  for (const [at, block] of blocksOf(message).entries()) {
    if (block.type !== 'tool_result') continue;
    if (!known.includes(block.tool_use_id)) {
      return invalidRequest(
        `messages.${String(index)}.content.${String(at)}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    }
    if (seen.has(block.tool_use_id)) {
      return invalidRequest(
        `messages.${String(index)}.content.${String(at)}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${block.tool_use_id}`,
      );
    }
    seen.add(block.tool_use_id);
  }
  return null;
}

function checkUniqueIds(messages: readonly ClaudeMessage[]): ClaudeRefusal | null {
  const seen = new Set<string>();
  return first(messages, (message, index) => {
    for (const id of toolUseIds(message)) {
      if (seen.has(id)) return invalidRequest(`messages.${String(index)}: \`tool_use\` ids must be unique`);
      seen.add(id);
    }
    return null;
  });
}

function checkThinkingBlocks(message: ClaudeMessage, index: number, memory: ClaudeMemory): ClaudeRefusal | null {
  for (const [at, block] of blocksOf(message).entries()) {
    if (block.type === 'thinking' && !memory.isOwnSignature(block.thinking, block.signature)) {
      return invalidRequest(
        `messages.${String(index)}.content.${String(at)}: Invalid \`signature\` in \`thinking\` block`,
      );
    }
  }
  return null;
}

function checkEnd(messages: readonly ClaudeMessage[], model: FakeClaudeModel): ClaudeRefusal | null {
  const last = messages.at(-1);
  if (last === undefined || last.role === 'user') return null;
  if (!model.takesPrefill) {
    return invalidRequest(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  }
  const end = blocksOf(last).at(-1);
  if (end?.type === 'text' && end.text !== end.text.trimEnd()) {
    return invalidRequest('messages: final assistant content cannot end with trailing whitespace');
  }
  return null;
}

/** What a paused turn had brought before this request let it go on: both parts come back as one message. */
export function continuedContent(request: { readonly messages: readonly ClaudeMessage[] }): readonly unknown[] {
  const last = request.messages.at(-1);
  return last?.role === 'assistant' ? rawContent(last) : [];
}

/** The content as it came over the wire: wrapped blocks are unwrapped. */
function rawContent(message: ClaudeMessage): readonly unknown[] {
  return blocksOf(message).map((block) => (block.type === 'opaque' ? block.raw : block));
}

function toolUseIds(message: ClaudeMessage): readonly string[] {
  return blocksOf(message).flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
}

/** Ids of the results that stand before any other block: those after a text do not count. */
function leadingResultIds(message: ClaudeMessage | undefined): readonly string[] {
  if (message === undefined) return [];
  const blocks: readonly ClaudeContentBlock[] = blocksOf(message);
  const end = blocks.findIndex((block) => block.type !== 'tool_result');
  const leading = end < 0 ? blocks : blocks.slice(0, end);
  return leading.flatMap((block) => (block.type === 'tool_result' ? [block.tool_use_id] : []));
}

function first(
  messages: readonly ClaudeMessage[],
  check: (message: ClaudeMessage, index: number) => ClaudeRefusal | null,
): ClaudeRefusal | null {
  for (const [index, message] of messages.entries()) {
    const refusal = check(message, index);
    if (refusal !== null) return refusal;
  }
  return null;
}
