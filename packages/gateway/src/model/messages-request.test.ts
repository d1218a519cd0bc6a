import { describe, expect, it } from '@jest/globals';
import { MessagesRequest, describeRequestProblem } from './messages-request.ts';

const plain = { model: 'claude-sonnet-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] };

const problemOf = (body: unknown) => {
  const parsed = MessagesRequest.safeParse(body);
  if (parsed.success) throw new Error('it was taken');
  return describeRequestProblem(parsed.error);
};

describe('MessagesRequest', () => {
  it('keeps every field of a review as it is, but for the metadata', () => {
    const body = {
      ...plain,
      system: [{ type: 'text', text: 'review', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      tools: [
        {
          name: 'read_file',
          description: 'reads',
          input_schema: { type: 'object', properties: { path: { type: 'string' } }, additionalProperties: false },
          strict: true,
        },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: false },
      thinking: { type: 'adaptive', display: 'summarized' },
      output_config: { effort: 'medium' },
      stream: true,
      stop_sequences: ['END'],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'diff', cache_control: { type: 'ephemeral' } }] },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 'c2ln' },
            { type: 'redacted_thinking', data: 'eA==' },
            { type: 'text', text: 'look', citations: null },
            {
              type: 'tool_use',
              id: 'toolu_1',
              name: 'read_file',
              input: { path: 'a', deep: { x: [1] } },
              caller: { type: 'direct' },
            },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'toolu_1', is_error: false, content: [{ type: 'text', text: 'a' }] },
          ],
        },
      ],
    };

    expect(MessagesRequest.parse({ ...body, metadata: { user_id: 'someone' } })).toEqual(body);
  });

  it('sends the same bytes for the same call', () => {
    const text = JSON.stringify(MessagesRequest.parse(plain));

    expect(JSON.stringify(MessagesRequest.parse(JSON.parse(text)))).toBe(text);
  });

  it.each([
    ['web search', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
    ['web fetch', { tools: [{ type: 'web_fetch_20250910', name: 'web_fetch' }] }],
    ['code execution', { tools: [{ type: 'code_execution_20250825', name: 'code_execution' }] }],
    ['a bash tool of the provider', { tools: [{ type: 'bash_20250124', name: 'bash' }] }],
    ['an MCP toolset', { tools: [{ type: 'mcp_toolset', mcp_server_name: 'x' }] }],
    [
      'a server tool that looks custom',
      { tools: [{ type: 'web_search_20250305', name: 'x', input_schema: { type: 'object' } }] },
    ],
    [
      'a tool that programs may call',
      { tools: [{ name: 'x', input_schema: { type: 'object' }, allowed_callers: ['code_execution_20250825'] }] },
    ],
    ['MCP servers', { mcp_servers: [{ type: 'url', url: 'https://evil.example', name: 'x' }] }],
    ['a container', { container: 'container_1' }],
    ['a service tier', { service_tier: 'auto' }],
    ['a speed', { speed: 'fast' }],
    ['a region', { inference_geo: 'us' }],
    ['context management', { context_management: { edits: [] } }],
    [
      'an image by URL',
      {
        messages: [
          { role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'http://169.254.169.254/' } }] },
        ],
      },
    ],
    [
      'a document by URL',
      {
        messages: [
          { role: 'user', content: [{ type: 'document', source: { type: 'url', url: 'file:///etc/passwd' } }] },
        ],
      },
    ],
    [
      'a document by file id',
      { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }] }] },
    ],
    [
      'a document of blocks with a URL inside',
      {
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'document',
                source: { type: 'content', content: [{ type: 'image', source: { type: 'url', url: 'x' } }] },
              },
            ],
          },
        ],
      },
    ],
    [
      'an image by URL in a tool result',
      {
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 't',
                content: [{ type: 'image', source: { type: 'url', url: 'x' } }],
              },
            ],
          },
        ],
      },
    ],
    [
      'a container upload',
      { messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: 'file_1' }] }] },
    ],
    [
      'a server tool use',
      {
        messages: [
          { role: 'assistant', content: [{ type: 'server_tool_use', id: 's', name: 'web_search', input: {} }] },
        ],
      },
    ],
    ['a system message in the row', { messages: [{ role: 'system', content: 'x' }] }],
    ['no tokens', { max_tokens: 0 }],
    ['no messages', { messages: [] }],
  ])('refuses %s', (_, part) => {
    expect(MessagesRequest.safeParse({ ...plain, ...part }).success).toBe(false);
  });

  it('says which field is not allowed, and never what it held', () => {
    const message = problemOf({ ...plain, mcp_servers: [{ url: 'https://secret.example' }] });

    expect(message).toBe('not allowed through this gateway: mcp_servers');
  });

  it('takes no prototype from a body', () => {
    const parsed = MessagesRequest.safeParse(
      JSON.parse(
        '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","id":"a","name":"b","input":{"__proto__":{"polluted":true}}}]}]}',
      ),
    );

    expect(parsed.success).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
