/** A plain client for the tests of the fake: no SDK between the test and the wire. */
import { z } from 'zod';

/** What came back. */
export interface ClaudeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export const testKey = 'sk-ant-test-key';

/** A small valid request. */
export const aRequest: Readonly<Record<string, unknown>> = {
  model: 'claude-sonnet-5-5',
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'Hello' }],
};

/** Sends a body, valid or not, with valid headers unless told otherwise. */
export async function send(
  url: string,
  body: unknown,
  facts: {
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<ClaudeAnswer> {
  const response = await open(url, body, facts);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Like `send`, but leaves the body to be read by the test. */
export async function open(
  url: string,
  body: unknown,
  facts: {
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Response> {
  return fetch(`${url}${facts.path ?? '/v1/messages'}`, {
    method: 'POST',
    headers: facts.headers ?? {
      'x-api-key': testKey,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: facts.signal ?? AbortSignal.timeout(10_000),
  });
}

const Message = z.looseObject({
  content: z.array(z.looseObject({ type: z.string(), text: z.string().optional(), id: z.string().optional() })),
  stop_reason: z.string(),
  usage: z.looseObject({
    input_tokens: z.number(),
    cache_read_input_tokens: z.number(),
    cache_creation_input_tokens: z.number(),
    output_tokens: z.number(),
  }),
});

/** A message that came without stream. */
export function messageOf(answer: ClaudeAnswer): z.infer<typeof Message> {
  return Message.parse(JSON.parse(answer.text));
}

const Data = z.record(z.string(), z.unknown());

/** Any JSON object that came back. */
export function objectOf(text: string): Readonly<Record<string, unknown>> {
  return Data.parse(JSON.parse(text));
}

/** The events of a stream, in order. */
export function eventsOf(text: string): readonly { readonly name: string; readonly data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', data = ''] = part.split('\n');
      return { name: name.replace('event: ', ''), data: objectOf(data.replace('data: ', '')) };
    });
}
