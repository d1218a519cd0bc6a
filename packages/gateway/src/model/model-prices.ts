/**
 * What models cost, in US dollars per million tokens. A model that is not listed has no price: its cost is `null`,
 * never a guess, and tokens are its budget.
 * @see https://platform.claude.com/docs/en/about-claude/pricing (compared in November 2026; cache reads of
 * claude-sonnet-5-5 as since 2026-10-07, claude-haiku-5-5 by the length of the prompt)
 */
import { z } from 'zod';

/** Dollars per million tokens by kind. Writing to the cache for an hour costs twice the input price. */
const Rates = z.strictObject({
  input: z.number().min(0),
  output: z.number().min(0),
  cacheRead: z.number().min(0),
  /** For five minutes. */
  cacheWrite: z.number().min(0),
});
type Rates = z.infer<typeof Rates>;

/** Rates of a model; longer prompts may have their own, for every token of the call. */
export const ModelPrice = Rates.extend({
  longPrompt: Rates.extend({ overTokens: z.int().positive() }).optional(),
});
export type ModelPrice = z.infer<typeof ModelPrice>;

/** Prices by the beginning of a model's name; the longest that fits counts. */
export const ModelPrices = z.record(z.string().min(1), ModelPrice);
export type ModelPrices = z.infer<typeof ModelPrices>;

const rates = (input: number, output: number, cacheRead: number, cacheWrite: number): ModelPrice => ({
  input,
  output,
  cacheRead,
  cacheWrite,
});

/** The list prices we know. */
export const listPrices: ModelPrices = {
  'claude-fable-5-1': rates(10, 50, 0.25, 12.5),
  'claude-fable-5': rates(10, 50, 1, 12.5),
  'claude-opus-5-5': rates(4, 20, 0.2, 5),
  'claude-opus-5': rates(5, 25, 0.5, 6.25),
  'claude-opus-4-5': rates(5, 25, 0.5, 6.25),
  'claude-opus-4-6': rates(5, 25, 0.5, 6.25),
  'claude-opus-4-7': rates(5, 25, 0.5, 6.25),
  'claude-opus-4-8': rates(5, 25, 0.5, 6.25),
  'claude-sonnet-5-5': rates(2, 10, 0.1, 2.5),
  'claude-sonnet-5': rates(2, 10, 0.2, 2.5),
  'claude-sonnet-4': rates(3, 15, 0.3, 3.75),
  'claude-haiku-5-5': {
    ...rates(0.1, 0.5, 0.01, 0.125),
    longPrompt: { overTokens: 100_000, ...rates(0.5, 2.5, 0.05, 0.625) },
  },
  'claude-haiku-4-5': rates(1, 5, 0.1, 1.25),
};

/** The price of a model, or null when it is not known. `claude-opus-5` also prices `claude-opus-5-20260101`. */
export function priceOf(model: string, prices: ModelPrices): ModelPrice | null {
  const [best] = Object.keys(prices)
    .filter((prefix) => isNamedBy(model, prefix))
    .sort((left, right) => right.length - left.length);
  return best === undefined ? null : (prices[best] ?? null);
}

/** A whole name, or a name with more parts behind it; `claude-opus-5` names no `claude-opus-50`. */
function isNamedBy(model: string, prefix: string): boolean {
  return model === prefix || (model.startsWith(prefix) && /^[-@:[]/.test(model.slice(prefix.length)));
}

/** Tokens of one call, with the part of the cache writes that is kept for an hour. */
export interface CallTokens {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** Of `cacheWrite`. */
  readonly cacheWrite1h: number;
}

/** The cost of a call in billionths of a dollar: whole numbers, so that sums are exact. */
export function costNanoUsd(price: ModelPrice, tokens: CallTokens): number {
  const prompt = tokens.input + tokens.cacheRead + tokens.cacheWrite;
  const { longPrompt } = price;
  const rate: Rates = longPrompt !== undefined && prompt > longPrompt.overTokens ? longPrompt : price;
  const usdPerMillion =
    tokens.input * rate.input +
    tokens.output * rate.output +
    tokens.cacheRead * rate.cacheRead +
    (tokens.cacheWrite - tokens.cacheWrite1h) * rate.cacheWrite +
    tokens.cacheWrite1h * rate.input * 2;
  return Math.ceil(usdPerMillion * 1000 - 1e-6); // a dollar per million tokens is 1000 billionths for one
}

/** The most that a call may cost: the whole prompt written to the cache, the whole answer used. */
export function highestCostNanoUsd(price: ModelPrice, promptTokens: number, maxOutputTokens: number): number {
  const plain = { input: promptTokens, output: maxOutputTokens, cacheRead: 0, cacheWrite: 0, cacheWrite1h: 0 };
  const written = { ...plain, input: 0, cacheWrite: promptTokens };
  return Math.max(costNanoUsd(price, plain), costNanoUsd(price, written));
}
