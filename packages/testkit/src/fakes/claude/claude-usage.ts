import type { PromptUsage } from './claude-prompt-cache.ts';
import type { RenderedReply } from './render-claude-reply.ts';

/** Tokens by kind, in the API's names. */
export interface ClaudeUsage {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly output_tokens: number;
}

/** What a call cost. */
export function callUsage(prompt: PromptUsage, rendered: RenderedReply): ClaudeUsage {
  return {
    input_tokens: prompt.uncached,
    cache_creation_input_tokens: prompt.written5m + prompt.written1h,
    cache_read_input_tokens: prompt.read,
    output_tokens: rendered.outputTokens,
  };
}

/** Usage as a message carries it. */
export function usageBody(prompt: PromptUsage, rendered: RenderedReply): object {
  return {
    ...callUsage(prompt, rendered),
    cache_creation: {
      ephemeral_5m_input_tokens: prompt.written5m,
      ephemeral_1h_input_tokens: prompt.written1h,
    },
    ...details(rendered),
    service_tier: 'standard',
    inference_geo: 'not_available',
    speed: 'standard',
  };
}

/** Usage as the end of a stream carries it. */
export function lastUsage(prompt: PromptUsage, rendered: RenderedReply): object {
  return { ...callUsage(prompt, rendered), ...details(rendered) };
}

function details(rendered: RenderedReply): object {
  return { output_tokens_details: { thinking_tokens: rendered.thinkingTokens }, server_tool_use: null };
}
