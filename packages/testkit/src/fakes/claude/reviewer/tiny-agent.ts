/**
 * As little of an agent as the tests of the reviewer need: the agent's tools over a real repository, and the loop
 * around a Messages endpoint.
 */
import { z } from 'zod';
import type { Claim } from './rule.ts';

/** A change in a repository on this machine. */
export interface TinyChange {
  readonly git: (args: readonly string[]) => Promise<string>;
  readonly baseSha: string;
  readonly headSha: string;
  /** Paths whose diff is not shown. */
  readonly leftOut?: readonly string[];
}

/** A tool's answer. A thrown error goes back as `is_error`. */
export type TinyTool = (input: Readonly<Record<string, unknown>>) => Promise<string>;

/** What the reviewer has said and done. */
export interface TinyReview {
  readonly findings: readonly Claim[];
  readonly finished: { readonly summary: string; readonly notRead?: readonly { path: string; why: string }[] } | null;
  readonly calls: readonly { readonly name: string; readonly input: Readonly<Record<string, unknown>> }[];
  readonly cacheReadTokens: number;
  readonly lastText: string;
}

const Text = z.looseObject({
  path: z.string().optional(),
  ref: z.enum(['head', 'base']).default('head'),
  pattern: z.string().default(''),
  startLine: z.number().default(1),
  endLine: z.number().default(Infinity),
});

/** The read-only tools and the two that end in a review, in the agent's names and forms. */
export function tinyTools(change: TinyChange): Readonly<Record<string, TinyTool>> {
  const { git, baseSha, headSha, leftOut = [] } = change;
  const shaOf = (ref: 'head' | 'base') => (ref === 'head' ? headSha : baseSha);
  const files = new Map<string, Promise<readonly string[]>>();
  const readLines = async (name: string) => {
    const lines = (await git(['show', name])).split('\n');
    return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  };
  const linesOf = (sha: string, path: string) => {
    const name = `${sha}:${path}`;
    const lines = files.get(name) ?? readLines(name);
    files.set(name, lines);
    return lines;
  };
  return {
    list_files: (input) => git(['ls-tree', '-r', '--name-only', shaOf(Text.parse(input).ref)]),
    read_file: async (input) => {
      const { path = '', ref, startLine, endLine } = Text.parse(input);
      return (await linesOf(shaOf(ref), path))
        .map((line, index) => `${String(index + 1).padStart(6)}\t${line}`)
        .slice(startLine - 1, endLine)
        .join('\n');
    },
    search: async (input) => {
      const { pattern, ref } = Text.parse(input);
      const paths = (await git(['ls-tree', '-r', '--name-only', shaOf(ref)])).trim().split('\n');
      const hits: string[] = [];
      for (const path of paths.filter((candidate) => !candidate.endsWith('.png'))) {
        for (const [index, line] of (await linesOf(shaOf(ref), path)).entries()) {
          if (new RegExp(pattern).test(line)) hits.push(`${path}:${String(index + 1)}:${line}`);
        }
      }
      return hits.join('\n');
    },
    log: () => git(['log', '--format=%h %an %s', `${baseSha}..${headSha}`]),
    show_diff: async (input) => {
      const { path } = Text.parse(input);
      return path === undefined ? overview(change, leftOut) : fileDiff(change, path);
    },
    report_finding: async (input) => {
      const claim = Finding.parse(input);
      const changed = await git(['diff', '-M', '--name-status', baseSha, headSha]);
      if (!changed.split(/[\t\n]/).includes(claim.path)) throw new Error('that file is not changed');
      const lines = await linesOf(claim.side === 'new' ? headSha : baseSha, claim.path);
      const stands = lines.slice(claim.startLine - 1, claim.endLine).join('\n') === claim.quotedCode;
      if (!stands) throw new Error('the quoted code does not stand there');
      return 'recorded';
    },
    finish_review: async () => 'recorded',
  };
}

async function overview({ git, baseSha, headSha }: TinyChange, leftOut: readonly string[]): Promise<string> {
  const output = await git(['diff', '-M', '--raw', '--numstat', baseSha, headSha]);
  const words: Readonly<Record<string, string>> = { M: 'modified', A: 'added', D: 'deleted', R: 'renamed' };
  const rows = output.trim().split('\n');
  const counts = rows.filter((row) => !row.startsWith(':')).map((row) => row.split('\t'));
  return rows
    .filter((row) => row.startsWith(':'))
    .map((row, index) => {
      const [head = '', from = '', to] = row.split('\t');
      const [added = '0', removed = '0'] = counts[index] ?? [];
      const path = to === undefined ? from : `${from} => ${to}`;
      const line = `${words[head.split(' ').at(-1)?.charAt(0) ?? ''] ?? 'modified'}\t+${added} -${removed}\t${path}`;
      return leftOut.includes(to ?? from) ? `${line}\tleft out: not for review` : line;
    })
    .join('\n');
}

async function fileDiff({ git, baseSha, headSha }: TinyChange, path: string): Promise<string> {
  const whole = await git(['diff', '-M', baseSha, headSha]);
  const part = whole.split(/^(?=diff --git )/m).find((candidate) => candidate.includes(` b/${path}\n`));
  if (part === undefined) throw new Error(`${path} was not changed`);
  let [oldLine, newLine] = [0, 0];
  const rows = part
    .slice(part.search(/^@@/m))
    .split('\n')
    .flatMap((row) => {
      const [, from, to] = /^@@ -(\d+)\S* \+(\d+)/.exec(row) ?? [];
      if (from !== undefined) {
        [oldLine, newLine] = [Number(from), Number(to)];
        return [row];
      }
      const sign = row.charAt(0);
      if (sign !== ' ' && sign !== '+' && sign !== '-') return [];
      const oldText = sign === '+' ? '' : String(oldLine++);
      const newText = sign === '-' ? '' : String(newLine++);
      return [`${oldText.padStart(6)} ${newText.padStart(6)} ${sign} ${row.slice(1)}`];
    });
  return rows.join('\n');
}

const Finding = z.strictObject({
  path: z.string(),
  side: z.enum(['new', 'old']),
  startLine: z.int(),
  endLine: z.int(),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  category: z.enum(['correctness', 'security', 'performance', 'tests', 'maintainability', 'documentation']),
  confidence: z.number().min(0).max(1),
  title: z.string().max(200),
  quotedCode: z.string(),
  reason: z.string().max(4000),
  suggestion: z.string().exactOptional(),
  rootCause: z.string().exactOptional(),
});
const Finish = z.strictObject({
  summary: z.string(),
  notRead: z.array(z.strictObject({ path: z.string(), why: z.string() })).exactOptional(),
});
const Answer = z.looseObject({
  content: z.array(
    z.discriminatedUnion('type', [
      z.looseObject({ type: z.literal('text'), text: z.string() }),
      z.looseObject({
        type: z.literal('tool_use'),
        id: z.string(),
        name: z.string(),
        input: z.record(z.string(), z.unknown()),
      }),
    ]),
  ),
  usage: z.looseObject({ cache_read_input_tokens: z.number() }),
});

/** What the loop sends besides the tools. */
export interface TinyPrompt {
  readonly description?: string;
  readonly system?: string;
  readonly request?: object;
  readonly reportSchema?: object;
}

const maxTurns = 40;
const point = { cache_control: { type: 'ephemeral' } };

/** Lets the model behind a Messages endpoint review with these tools until it ends its turn. */
export async function runTinyAgent(
  endpoint: { readonly url: string; readonly apiKey: string },
  tools: Readonly<Record<string, TinyTool>>,
  prompt: TinyPrompt = {},
): Promise<TinyReview> {
  const delimiter = 'a1b2c3d4e5f60718293a';
  const text = `Review this merge request.\n${delimiter}\n${prompt.description ?? ''}\n${delimiter}\n`;
  const messages: object[] = [{ role: 'user', content: [{ type: 'text', text }] }];
  const calls: { name: string; input: Record<string, unknown> }[] = [];
  const findings: Claim[] = [];
  let finished: TinyReview['finished'] = null;
  let cacheReadTokens = 0;
  for (let turn = 0; turn < maxTurns; turn += 1) {
    const schema = (name: string) =>
      (name === 'report_finding' ? prompt.reportSchema : undefined) ?? { type: 'object' };
    const answer = await ask(endpoint, {
      model: 'claude-sonnet-5-5',
      max_tokens: 16_000,
      system: [{ type: 'text', text: `${prompt.system ?? ''}${'You review changes. '.repeat(300)}`, ...point }],
      tools: Object.keys(tools).map((name) => ({ name, input_schema: schema(name) })),
      messages: withBreakpoint(messages),
      ...prompt.request,
    });
    cacheReadTokens += answer.usage.cache_read_input_tokens;
    messages.push({ role: 'assistant', content: answer.content });
    const results: object[] = [];
    for (const block of answer.content) {
      if (block.type !== 'tool_use') continue;
      const { id, name, input } = block;
      calls.push({ name, input });
      const result = await run(tools[name], input);
      results.push({ type: 'tool_result', tool_use_id: id, ...result });
      if (!result.is_error && name === 'report_finding') findings.push(Finding.parse(input));
      if (!result.is_error && name === 'finish_review') finished = Finish.parse(input);
    }
    const lastText = answer.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    if (results.length === 0) return { findings, finished, calls, cacheReadTokens, lastText };
    messages.push({ role: 'user', content: results });
  }
  throw new Error(`the model did not end its turn within ${String(maxTurns)} turns`);
}

async function run(
  tool: TinyTool | undefined,
  input: Record<string, unknown>,
): Promise<{ content: string; is_error: boolean }> {
  try {
    if (tool === undefined) throw new Error('there is no such tool');
    return { content: await tool(input), is_error: false };
  } catch (error) {
    return { content: error instanceof Error ? error.message : String(error), is_error: true };
  }
}

function withBreakpoint(messages: readonly object[]): readonly object[] {
  return messages.map((message, index) => {
    if (index < messages.length - 1 || !('content' in message) || !Array.isArray(message.content)) return message;
    const content: readonly object[] = message.content;
    return {
      ...message,
      content: content.map((block, at) => (at === content.length - 1 ? { ...block, ...point } : block)),
    };
  });
}

async function ask(
  endpoint: { readonly url: string; readonly apiKey: string },
  body: object,
): Promise<z.infer<typeof Answer>> {
  const response = await fetch(`${endpoint.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': endpoint.apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the endpoint answered ${String(response.status)}: ${text}`);
  return Answer.parse(JSON.parse(text));
}
