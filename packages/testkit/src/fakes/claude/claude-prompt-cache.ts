/**
 * The prompt cache, by the API's rules: the prompt is a row of segments in the order tools, system, messages; an entry
 * is the hash of all segments up to a breakpoint; a breakpoint finds entries up to 20 segments before it; a prefix
 * under the model's minimum is not cached; each use renews an entry.
 * @see https://platform.claude.com/docs/en/build-with-claude/prompt-caching
 */
import { createHash } from 'node:crypto';
import type { CacheControl, ClaudeCountRequest } from './claude-request.ts';
import { blocksOf } from './claude-request.ts';
import { tokensOf } from './claude-tokens.ts';

/** A piece of the prompt that a breakpoint can stand on. */
export interface PromptSegment {
  readonly text: string;
  readonly tokens: number;
  readonly breakpoint: CacheControl | null;
}

/** How a prompt was paid for. The three parts together are the whole prompt. */
export interface PromptUsage {
  readonly uncached: number;
  readonly read: number;
  readonly written5m: number;
  readonly written1h: number;
}

const lookBackSegments = 20;
const ttlMs = { '5m': 5 * 60_000, '1h': 60 * 60_000 } as const;

/** The prompt in cache order. `cache_control` itself is no part of the text: a breakpoint may move. */
export function promptSegments(request: ClaudeCountRequest): readonly PromptSegment[] {
  const tools = (request.tools ?? []).map((tool) => segment('tool', tool));
  const system = typeof request.system === 'string' ? [{ type: 'text', text: request.system }] : (request.system ?? []);
  const settings = JSON.stringify([request.tool_choice ?? null, request.thinking ?? null]);
  const messages = request.messages.flatMap((message) =>
    blocksOf(message).map((block) => segment(`${message.role} ${settings}`, block)),
  );
  const all = [...tools, ...system.map((block) => segment('system', block)), ...messages];
  const last = all.at(-1);
  if (request.cache_control !== undefined && request.cache_control !== null && last !== undefined) {
    return [...all.slice(0, -1), { ...last, breakpoint: last.breakpoint ?? request.cache_control }];
  }
  return all;
}

function segment(place: string, block: object): PromptSegment {
  const { cache_control: breakpoint, ...rest } = withBreakpoint(block);
  const text = JSON.stringify(rest);
  return { text: `${place} ${text}`, tokens: tokensOf(text), breakpoint: breakpoint ?? null };
}

/** Thinking cannot carry a breakpoint; everything else may. */
function withBreakpoint(block: object): { readonly cache_control?: CacheControl | null | undefined } {
  return block;
}

/** The entries of all keys and models. */
export class ClaudePromptCache {
  readonly #entries = new Map<string, { readonly ttlMs: number; expiresAtMs: number }>();

  /** Counts a prompt against the cache and stores its breakpoints. `scope`: key and model, which never share entries. */
  use(scope: string, segments: readonly PromptSegment[], minTokens: number, nowMs: number): PromptUsage {
    const prefixes = prefixesOf(scope, segments);
    const total = prefixes.at(-1)?.tokens ?? 0;
    const read = this.#longestHit(prefixes, nowMs);
    let [covered, written5m, written1h] = [read, 0, 0];
    for (const prefix of prefixes) {
      if (prefix.breakpoint === null || prefix.tokens < minTokens) continue;
      const lifeMs = ttlMs[prefix.breakpoint.ttl ?? '5m'];
      if (prefix.tokens > covered) {
        if (prefix.breakpoint.ttl === '1h') written1h += prefix.tokens - covered;
        else written5m += prefix.tokens - covered;
        covered = prefix.tokens;
      }
      this.#entries.set(prefix.hash, { ttlMs: lifeMs, expiresAtMs: nowMs + lifeMs });
    }
    return { uncached: total - covered, read, written5m, written1h };
  }

  #longestHit(prefixes: readonly Prefix[], nowMs: number): number {
    for (let at = prefixes.length - 1; at >= 0; at -= 1) {
      if (prefixes[at]?.breakpoint === null) continue;
      for (let back = at; back >= 0 && back > at - lookBackSegments; back -= 1) {
        const prefix = prefixes[back];
        const entry = prefix === undefined ? undefined : this.#entries.get(prefix.hash);
        if (prefix === undefined || entry === undefined || entry.expiresAtMs <= nowMs) continue;
        entry.expiresAtMs = nowMs + entry.ttlMs;
        return prefix.tokens;
      }
    }
    return 0;
  }
}

interface Prefix {
  readonly hash: string;
  /** Tokens of the whole prefix. */
  readonly tokens: number;
  readonly breakpoint: CacheControl | null;
}

function prefixesOf(scope: string, segments: readonly PromptSegment[]): readonly Prefix[] {
  let hash = scope;
  let tokens = 0;
  return segments.map((part) => {
    hash = createHash('sha256').update(hash).update('\0').update(part.text).digest('hex');
    tokens += part.tokens;
    return { hash, tokens, breakpoint: part.breakpoint };
  });
}
