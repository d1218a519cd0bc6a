/**
 * The body of `POST /v1/messages`, every object strict, so that a field the API does not know is refused.
 * @see https://platform.claude.com/docs/en/api/messages
 */
import { z } from 'zod';

const CacheControl = z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() });
export type CacheControl = z.infer<typeof CacheControl>;
const cacheable = { cache_control: CacheControl.nullable().optional() };

const toolUseId = z.string().regex(/^[a-zA-Z0-9_-]+$/);

const TextBlock = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  citations: z.array(z.unknown()).max(0).nullable().optional(),
  ...cacheable,
});

/** No URL and no file id: what the model reads must pass through the client's own checks. */
const Base64Source = z.strictObject({ type: z.literal('base64'), media_type: z.string(), data: z.string() });
const ImageBlock = z.strictObject({ type: z.literal('image'), source: Base64Source, ...cacheable });

const ToolUseBlock = z.strictObject({
  type: z.literal('tool_use'),
  id: toolUseId,
  name: z.string().min(1).max(200),
  input: z.record(z.string(), z.unknown()),
  caller: z.strictObject({ type: z.literal('direct') }).optional(),
  toolset_name: z.null().optional(),
  ...cacheable,
});

const ToolResultBlock = z.strictObject({
  type: z.literal('tool_result'),
  tool_use_id: toolUseId,
  content: z.union([z.string(), z.array(z.discriminatedUnion('type', [TextBlock, ImageBlock]))]).optional(),
  is_error: z.boolean().optional(),
  ...cacheable,
});

const ThinkingBlock = z.strictObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() });
const RedactedThinkingBlock = z.strictObject({ type: z.literal('redacted_thinking'), data: z.string() });

/** A block of a type that only the fake itself has sent (server tools, compaction, types of the future). */
const OpaqueBlock = z.strictObject({ type: z.literal('opaque'), raw: z.record(z.string(), z.unknown()) });

const ContentBlock = z.discriminatedUnion('type', [
  TextBlock,
  ImageBlock,
  ToolUseBlock,
  ToolResultBlock,
  ThinkingBlock,
  RedactedThinkingBlock,
  OpaqueBlock,
]);
/** One content block of a message as the client sent it. */
export type ClaudeContentBlock = z.infer<typeof ContentBlock>;

const Message = z.strictObject({
  role: z.enum(['user', 'assistant']),
  content: z.union([z.string(), z.array(ContentBlock)]),
});
/** One turn of the conversation. */
export type ClaudeMessage = z.infer<typeof Message>;

const Tool = z.strictObject({
  type: z.literal('custom').nullable().optional(),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/),
  description: z.string().optional(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  strict: z.boolean().optional(),
  eager_input_streaming: z.boolean().nullable().optional(),
  input_examples: z.array(z.record(z.string(), z.unknown())).optional(),
  ...cacheable,
});
const ToolChoice = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auto'), disable_parallel_tool_use: z.boolean().optional() }),
  z.strictObject({ type: z.literal('any'), disable_parallel_tool_use: z.boolean().optional() }),
  z.strictObject({ type: z.literal('tool'), name: z.string(), disable_parallel_tool_use: z.boolean().optional() }),
  z.strictObject({ type: z.literal('none') }),
]);

const display = { display: z.enum(['summarized', 'omitted']).nullable().optional() };
const Thinking = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('enabled'), budget_tokens: z.int(), ...display }),
  z.strictObject({ type: z.literal('adaptive'), ...display }),
  z.strictObject({ type: z.literal('disabled') }),
  z.strictObject({ type: z.literal('between_tools') }),
]);

const countedFields = {
  model: z.string().min(1).max(256),
  messages: z.array(Message).min(1).max(100_000),
  system: z.union([z.string(), z.array(TextBlock)]).optional(),
  tools: z.array(Tool).optional(),
  tool_choice: ToolChoice.optional(),
  thinking: Thinking.optional(),
  cache_control: CacheControl.nullable().optional(),
  output_config: z
    .strictObject({
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullable().optional(),
      format: z
        .strictObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) })
        .nullable()
        .optional(),
    })
    .optional(),
};

/** Body of `POST /v1/messages/count_tokens`. */
export const ClaudeCountRequest = z.strictObject(countedFields);
export type ClaudeCountRequest = z.infer<typeof ClaudeCountRequest>;

/** Body of `POST /v1/messages`: what a script is shown. */
export const ClaudeRequest = z.strictObject({
  ...countedFields,
  max_tokens: z.int().min(0),
  stream: z.boolean().optional(),
  stop_sequences: z.array(z.string()).max(8192).optional(),
  metadata: z.strictObject({ user_id: z.string().max(512).nullable().optional() }).optional(),
  service_tier: z.enum(['auto', 'standard_only']).optional(),
  inference_geo: z.string().nullable().optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
});
export type ClaudeRequest = z.infer<typeof ClaudeRequest>;

/** The content of a message as blocks: a plain text is one text block. */
export function blocksOf(message: ClaudeMessage): readonly ClaudeContentBlock[] {
  return typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content;
}

/** The system prompt as one text. */
export function systemTextOf(request: ClaudeCountRequest): string {
  const { system } = request;
  if (system === undefined) return '';
  return typeof system === 'string' ? system : system.map((block) => block.text).join('\n');
}
