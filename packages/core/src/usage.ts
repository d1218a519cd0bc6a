import { z } from 'zod';

/** Tokens by kind, as the Messages API counts them: `input` is only the part that no cache covered. */
export const TokenUsage = z.strictObject({
  input: z.int().min(0),
  output: z.int().min(0),
  cacheRead: z.int().min(0),
  cacheWrite: z.int().min(0),
});
export type TokenUsage = z.infer<typeof TokenUsage>;

/** Nothing used. */
export const noUsage: TokenUsage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

/** Adds two counts. */
export function addUsage(left: TokenUsage, right: TokenUsage): TokenUsage {
  return {
    input: left.input + right.input,
    output: left.output + right.output,
    cacheRead: left.cacheRead + right.cacheRead,
    cacheWrite: left.cacheWrite + right.cacheWrite,
  };
}

/** All tokens together: what a token budget counts. */
export function totalTokens(usage: TokenUsage): number {
  return usage.input + usage.output + usage.cacheRead + usage.cacheWrite;
}

/** What a run has used. `costUsd` is null when the model has no known price: it is never made up. */
export const RunUsage = z.strictObject({
  calls: z.int().min(0),
  /** Calls answered from the store, at no cost; not in `calls`. Records of before there was a store have none. */
  reusedCalls: z.int().min(0).default(0),
  tokens: TokenUsage,
  costUsd: z.number().min(0).nullable(),
});
export type RunUsage = z.infer<typeof RunUsage>;
