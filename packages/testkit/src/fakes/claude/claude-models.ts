/** What the fake knows of a model: the bounds and the parameters that differ between generations. */
export interface FakeClaudeModel {
  readonly id: string;
  readonly displayName: string;
  /** Context window in tokens. */
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  /** A shorter prefix is not cached. */
  readonly minCacheTokens: number;
  /** Takes `temperature`, `top_p`, `top_k`. */
  readonly takesSampling: boolean;
  /** Lets the conversation end with an assistant message. */
  readonly takesPrefill: boolean;
  /** Takes `thinking.type: enabled` with `budget_tokens`. */
  readonly takesThinkingBudget: boolean;
  /** Takes `thinking.type: adaptive`. */
  readonly takesAdaptiveThinking: boolean;
}

const current = {
  maxInputTokens: 1_000_000,
  maxOutputTokens: 128_000,
  minCacheTokens: 1024,
  takesSampling: false,
  takesPrefill: false,
  takesThinkingBudget: false,
  takesAdaptiveThinking: true,
};

/** Three models of today and one that still takes what newer ones refuse. */
export const defaultClaudeModels: readonly FakeClaudeModel[] = [
  { id: 'claude-sonnet-5-5', displayName: 'Claude Sonnet 5.5', ...current },
  { id: 'claude-opus-5-5', displayName: 'Claude Opus 5.5', ...current },
  { id: 'claude-haiku-5-5', displayName: 'Claude Haiku 5.5', ...current, minCacheTokens: 2048 },
  {
    id: 'claude-haiku-4-5',
    displayName: 'Claude Haiku 4.5',
    maxInputTokens: 200_000,
    maxOutputTokens: 64_000,
    minCacheTokens: 4096,
    takesSampling: true,
    takesPrefill: true,
    takesThinkingBudget: true,
    takesAdaptiveThinking: false,
  },
];

/** A model as `GET /v1/models` shows it. */
export function modelInfo(model: FakeClaudeModel): object {
  const support = (supported: boolean) => ({ supported });
  return {
    type: 'model',
    id: model.id,
    display_name: model.displayName,
    created_at: '2026-01-01T00:00:00Z',
    lifecycle: 'active',
    deprecated_at: null,
    retires_at: null,
    line: null,
    max_input_tokens: model.maxInputTokens,
    max_tokens: model.maxOutputTokens,
    capabilities: {
      batch: support(false),
      citations: support(false),
      code_execution: support(false),
      image_input: support(true),
      pdf_input: support(false),
      structured_outputs: support(true),
      server_tools: { supported: false, code_execution: support(false), web_search: support(false) },
      context_management: {
        supported: false,
        clear_thinking_20251015: null,
        clear_tool_uses_20250919: null,
        compact_20260112: null,
      },
      effort: {
        supported: model.takesAdaptiveThinking,
        low: support(model.takesAdaptiveThinking),
        medium: support(model.takesAdaptiveThinking),
        high: support(model.takesAdaptiveThinking),
        max: support(model.takesAdaptiveThinking),
        xhigh: support(model.takesAdaptiveThinking),
      },
      thinking: {
        supported: model.takesThinkingBudget || model.takesAdaptiveThinking,
        types: {
          adaptive: support(model.takesAdaptiveThinking),
          enabled: support(model.takesThinkingBudget),
          disabled: support(true),
          between_tools: support(false),
        },
      },
    },
  };
}

/** The page of `GET /v1/models`, with the API's cursors. */
export function modelPage(models: readonly FakeClaudeModel[], query: URLSearchParams): object {
  const limit = Math.min(1000, Math.max(1, Number(query.get('limit') ?? 20) || 20));
  const afterId = query.get('after_id');
  const beforeId = query.get('before_id');
  const start = afterId === null ? 0 : models.findIndex((model) => model.id === afterId) + 1;
  const end = beforeId === null ? models.length : models.findIndex((model) => model.id === beforeId);
  const rest = models.slice(start, end < 0 ? models.length : end);
  const page = rest.slice(0, limit);
  return {
    data: page.map(modelInfo),
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
    has_more: rest.length > page.length,
  };
}
