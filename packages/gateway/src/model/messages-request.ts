/**
 * The body of a Messages call as an agent may send it. What goes upstream is built from the fields named here: no
 * server-side tools, no MCP servers, no containers, no URLs or file ids for the provider to fetch, nothing that
 * changes the price (service tier, speed, region), no user ids.
 * @see https://platform.claude.com/docs/en/api/messages
 */
import { z } from 'zod';

const CacheControl = z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() });
const cacheable = { cache_control: CacheControl.nullish() };

const toolUseId = z
  .string()
  .max(200)
  .regex(/^[a-zA-Z0-9_-]+$/);
const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/);

const TextBlock = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  citations: z.array(z.unknown()).max(0).nullish(),
  ...cacheable,
});

const Base64Source = z.strictObject({ type: z.literal('base64'), media_type: z.string().max(100), data: z.string() });
const TextSource = z.strictObject({ type: z.literal('text'), media_type: z.literal('text/plain'), data: z.string() });

const ImageBlock = z.strictObject({ type: z.literal('image'), source: Base64Source, ...cacheable });
const DocumentBlock = z.strictObject({
  type: z.literal('document'),
  source: z.discriminatedUnion('type', [Base64Source, TextSource]),
  title: z.string().nullish(),
  context: z.string().nullish(),
  ...cacheable,
});

const ToolUseBlock = z.strictObject({
  type: z.literal('tool_use'),
  id: toolUseId,
  name: toolName,
  input: z.record(z.string(), z.unknown()),
  caller: z.strictObject({ type: z.literal('direct') }).nullish(),
  toolset_name: z.null().optional(),
  ...cacheable,
});

const ToolResultBlock = z.strictObject({
  type: z.literal('tool_result'),
  tool_use_id: toolUseId,
  content: z
    .union([z.string(), z.array(z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock]))])
    .optional(),
  is_error: z.boolean().optional(),
  ...cacheable,
});

const ThinkingBlock = z.strictObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() });
const RedactedThinkingBlock = z.strictObject({ type: z.literal('redacted_thinking'), data: z.string() });

const ContentBlock = z.discriminatedUnion('type', [
  TextBlock,
  ImageBlock,
  DocumentBlock,
  ToolUseBlock,
  ToolResultBlock,
  ThinkingBlock,
  RedactedThinkingBlock,
]);

/** A tool that the agent runs itself. One with another `type` would be run by the provider. */
const Tool = z.strictObject({
  type: z.literal('custom').nullish(),
  name: toolName,
  description: z.string().optional(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  strict: z.boolean().optional(),
  eager_input_streaming: z.boolean().nullish(),
  input_examples: z.array(z.record(z.string(), z.unknown())).optional(),
  ...cacheable,
});

const parallel = { disable_parallel_tool_use: z.boolean().optional() };
const ToolChoice = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auto'), ...parallel }),
  z.strictObject({ type: z.literal('any'), ...parallel }),
  z.strictObject({ type: z.literal('tool'), name: toolName, ...parallel }),
  z.strictObject({ type: z.literal('none') }),
]);

const display = { display: z.enum(['summarized', 'omitted']).nullish() };
const Thinking = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('enabled'), budget_tokens: z.int().positive(), ...display }),
  z.strictObject({ type: z.literal('adaptive'), ...display }),
  z.strictObject({ type: z.literal('between_tools'), ...display }),
  z.strictObject({ type: z.literal('disabled') }),
]);

/** What an agent sends. `metadata` is taken and dropped: SDKs set it, and it may name a user. */
export const MessagesRequest = z
  .strictObject({
    model: z.string().min(1).max(256),
    max_tokens: z.int().min(1),
    messages: z
      .array(
        z.strictObject({
          role: z.enum(['user', 'assistant']),
          content: z.union([z.string(), z.array(ContentBlock)]),
        }),
      )
      .min(1)
      .max(10_000),
    system: z.union([z.string(), z.array(TextBlock)]).optional(),
    tools: z.array(Tool).max(200).optional(),
    tool_choice: ToolChoice.optional(),
    thinking: Thinking.optional(),
    output_config: z
      .strictObject({
        effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(),
        format: z.strictObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) }).nullish(),
      })
      .optional(),
    cache_control: CacheControl.nullish(),
    stream: z.boolean().optional(),
    stop_sequences: z.array(z.string()).max(100).optional(),
    temperature: z.number().min(0).max(1).optional(),
    top_p: z.number().min(0).max(1).optional(),
    top_k: z.int().min(0).optional(),
    metadata: z.unknown().optional(),
  })
  .transform(({ metadata: _dropped, ...request }) => request);
export type MessagesRequest = z.infer<typeof MessagesRequest>;

/** What is wrong with a body, for the agent: where and what, never the content. */
export function describeRequestProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'invalid request';
  const where = issue.path.map(String).join('.').slice(0, 200);
  const what =
    issue.code === 'unrecognized_keys'
      ? `not allowed through this gateway: ${issue.keys.join(', ').slice(0, 200)}`
      : issue.message.slice(0, 300);
  return where === '' ? what : `${where}: ${what}`;
}
