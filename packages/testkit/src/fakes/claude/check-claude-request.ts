/**
 * The API's rules for a request body, in its wording. Roles must alternate here, though the API would join equal
 * neighbours: a client that relies on that has lost track of its conversation.
 */
import type { z } from 'zod';
import type { ClaudeRefusal } from './claude-error.ts';
import { errorTypeOf, invalidRequest } from './claude-error.ts';
import type { ClaudeMemory } from './claude-memory.ts';
import type { FakeClaudeModel } from './claude-models.ts';
import { promptSegments } from './claude-prompt-cache.ts';
import type { PromptSegment } from './claude-prompt-cache.ts';
import { ClaudeCountRequest, ClaudeRequest } from './claude-request.ts';
import { checkConversation } from './check-claude-conversation.ts';
import { describeIssue } from './describe-claude-issue.ts';

/** What a request is checked against. */
export interface ClaudeRules {
  readonly models: readonly FakeClaudeModel[];
  readonly memory: ClaudeMemory;
  /** The `anthropic-version` of the request. */
  readonly apiVersion: string;
  /** Tool types beyond `custom` that are let through, for example `web_search_20250305`. */
  readonly allowedToolTypes: readonly string[];
}

/** A request that may be answered. */
export interface CheckedRequest {
  readonly request: ClaudeRequest;
  readonly model: FakeClaudeModel;
  readonly segments: readonly PromptSegment[];
  readonly inputTokens: number;
}

type Checked<T> =
  { readonly kind: 'ok'; readonly value: T } | { readonly kind: 'refused'; readonly refusal: ClaudeRefusal };

/** Checks the body of `POST /v1/messages`. */
export function checkMessagesRequest(raw: unknown, rules: ClaudeRules): Checked<CheckedRequest> {
  const parsed = parseBody(ClaudeRequest, raw, rules);
  if (parsed.kind === 'refused') return parsed;
  const request = parsed.value;
  const common = checkCommon(request, rules);
  if (common.kind === 'refused') return common;
  const { model } = common.value;
  const refusal = checkParameters(request, model, rules.apiVersion);
  return refusal === null ? { kind: 'ok', value: { request, ...common.value } } : { kind: 'refused', refusal };
}

/** Checks the body of `POST /v1/messages/count_tokens`; the answer is the number of input tokens. */
export function checkCountRequest(raw: unknown, rules: ClaudeRules): Checked<number> {
  const parsed = parseBody(ClaudeCountRequest, raw, rules);
  if (parsed.kind === 'refused') return parsed;
  const common = checkCommon(parsed.value, rules, Infinity);
  return common.kind === 'refused' ? common : { kind: 'ok', value: common.value.inputTokens };
}

function parseBody<T>(schema: z.ZodType<T>, raw: unknown, rules: ClaudeRules): Checked<T> {
  const parsed = schema.safeParse(withOpaqueBlocks(withoutAllowedTools(raw, rules), rules.memory));
  if (parsed.success) return { kind: 'ok', value: parsed.data };
  const [issue] = parsed.error.issues;
  return refuse(issue === undefined ? 'invalid request' : describeIssue(issue, raw));
}

function checkCommon(
  request: ClaudeCountRequest,
  rules: ClaudeRules,
  maxTokens?: number,
): Checked<Omit<CheckedRequest, 'request'>> {
  const model = rules.models.find((known) => known.id === request.model);
  if (model === undefined) {
    const message = `model: ${request.model}`;
    return { kind: 'refused', refusal: { status: 404, type: errorTypeOf(404), message, isViolation: false } };
  }
  const refusal =
    checkTools(request) ??
    checkThinking(request, model) ??
    checkConversation(request.messages, model, rules.memory) ??
    checkBreakpoints(request);
  if (refusal !== null) return { kind: 'refused', refusal };
  const segments = promptSegments(request);
  const inputTokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
  const window = maxTokens ?? model.maxInputTokens;
  if (inputTokens <= window) return { kind: 'ok', value: { model, segments, inputTokens } };
  const message = `prompt is too long: ${String(inputTokens)} tokens > ${String(window)} maximum`;
  return { kind: 'refused', refusal: { ...invalidRequest(message), isViolation: false } };
}

function checkParameters(request: ClaudeRequest, model: FakeClaudeModel, apiVersion: string): ClaudeRefusal | null {
  if (request.max_tokens > model.maxOutputTokens) {
    return invalidRequest(
      `max_tokens: ${String(request.max_tokens)} > ${String(model.maxOutputTokens)}, which is the maximum allowed number of output tokens for ${model.id}`,
    );
  }
  for (const name of ['temperature', 'top_p', 'top_k'] as const) {
    if (request[name] === undefined) continue;
    if (apiVersion !== '2023-06-01') return invalidRequest(`${name}: Extra inputs are not permitted`);
    if (!model.takesSampling) {
      return invalidRequest(`\`${name}\` is deprecated for this model.`);
    }
  }
  if (request.temperature !== undefined && request.top_p !== undefined) {
    return invalidRequest('`temperature` and `top_p` cannot both be specified for this model. Please use only one.');
  }
  if (request.thinking?.type === 'enabled') {
    if (request.thinking.budget_tokens >= request.max_tokens) {
      return invalidRequest('`max_tokens` must be greater than `thinking.budget_tokens`.');
    }
    if (request.temperature !== undefined && request.temperature !== 1) {
      return invalidRequest('`temperature` may only be set to 1 when thinking is enabled.');
    }
  }
  if (request.stop_sequences?.some((sequence) => sequence.trim() === '') === true) {
    return invalidRequest('stop_sequences: each stop sequence must contain non-whitespace');
  }
  return null;
}

function checkThinking(request: ClaudeCountRequest, model: FakeClaudeModel): ClaudeRefusal | null {
  const { thinking, tool_choice: choice } = request;
  if (thinking === undefined || thinking.type === 'disabled') return null;
  if (thinking.type === 'between_tools') {
    return invalidRequest('"thinking.type.between_tools" is not supported for this model.');
  }
  if (thinking.type === 'enabled') {
    if (!model.takesThinkingBudget) {
      return invalidRequest(
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
      );
    }
    if (thinking.budget_tokens < 1024) {
      return invalidRequest('thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
    }
  }
  if (thinking.type === 'adaptive' && !model.takesAdaptiveThinking) {
    return invalidRequest('adaptive thinking is not supported on this model');
  }
  if (choice?.type === 'any' || choice?.type === 'tool') {
    return invalidRequest('Thinking may not be enabled when tool_choice forces tool use.');
  }
  return null;
}

function checkTools(request: ClaudeCountRequest): ClaudeRefusal | null {
  const tools = request.tools ?? [];
  const names = tools.map((tool) => tool.name);
  if (new Set(names).size < names.length) return invalidRequest('tools: Tool names must be unique.');
  for (const [index, { input_schema: schema }] of tools.entries()) {
    const place = `tools.${String(index)}.custom.input_schema`;
    if (['oneOf', 'allOf', 'anyOf'].some((word) => word in schema)) {
      return invalidRequest(`${place}: input_schema does not support oneOf, allOf, or anyOf at the top level`);
    }
    const properties = schema['properties'] ?? {};
    if (typeof properties !== 'object') {
      return invalidRequest(`${place}: JSON schema is invalid. It must match JSON Schema draft 2020-12`);
    }
    if (!Object.keys(properties).every((key) => /^[a-zA-Z0-9_.-]{1,64}$/.test(key))) {
      return invalidRequest(`${place}.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'`);
    }
    if (tools[index]?.strict === true && schema['additionalProperties'] !== false) {
      return invalidRequest(
        `tools.${String(index)}.custom: For 'object' type, 'additionalProperties' must be explicitly set to false`,
      );
    }
  }
  const choice = request.tool_choice;
  if (choice !== undefined && tools.length === 0) {
    return invalidRequest('tool_choice: tool_choice may only be specified while providing tools');
  }
  if (choice?.type === 'tool' && !names.includes(choice.name)) {
    return invalidRequest(`Tool '${choice.name}' not found in provided tools`);
  }
  return null;
}

function checkBreakpoints(request: ClaudeCountRequest): ClaudeRefusal | null {
  const found = promptSegments(request).flatMap((segment) => segment.breakpoint ?? []);
  if (found.length > 4) {
    return invalidRequest(`A maximum of 4 blocks with cache_control may be provided. Found ${String(found.length)}.`);
  }
  const firstShort = found.findIndex((breakpoint) => breakpoint.ttl !== '1h');
  if (firstShort >= 0 && found.slice(firstShort).some((breakpoint) => breakpoint.ttl === '1h')) {
    return invalidRequest(
      "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    );
  }
  return null;
}

/** Blocks that only the fake itself has sent are wrapped, so that the strict schema lets them back in. */
function withOpaqueBlocks(raw: unknown, memory: ClaudeMemory): unknown {
  if (!isObject(raw) || !Array.isArray(raw['messages'])) return raw;
  const messages = raw['messages'].map((message: unknown) => {
    if (!isObject(message) || message['role'] !== 'assistant' || !Array.isArray(message['content'])) return message;
    const content = message['content'].map((block: unknown) =>
      isObject(block) && typeof block['type'] === 'string' && memory.hasSentBlockType(block['type'])
        ? { type: 'opaque', raw: block }
        : block,
    );
    return { ...message, content };
  });
  return { ...raw, messages };
}

function withoutAllowedTools(raw: unknown, rules: ClaudeRules): unknown {
  if (rules.allowedToolTypes.length === 0 || !isObject(raw) || !Array.isArray(raw['tools'])) return raw;
  const isAllowed = (tool: unknown) =>
    isObject(tool) && typeof tool['type'] === 'string' && rules.allowedToolTypes.includes(tool['type']);
  return { ...raw, tools: raw['tools'].filter((tool: unknown) => !isAllowed(tool)) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(message: string): { readonly kind: 'refused'; readonly refusal: ClaudeRefusal } {
  return { kind: 'refused', refusal: invalidRequest(message) };
}
