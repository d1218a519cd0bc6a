import { describe, expect, it } from '@jest/globals';
import { costNanoUsd, highestCostNanoUsd, listPrices, priceOf } from './model-prices.ts';

const none = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWrite1h: 0 };

describe('priceOf', () => {
  it.each([
    ['claude-fable-5-1', 10, 50],
    ['claude-opus-5-5', 4, 20],
    ['claude-opus-5-5-20261001', 4, 20],
    ['claude-opus-5', 5, 25],
    ['claude-opus-5-20260724', 5, 25],
    ['claude-opus-4-8', 5, 25],
    ['claude-sonnet-5-5', 2, 10],
    ['claude-sonnet-5', 2, 10],
    ['claude-sonnet-4-6', 3, 15],
    ['claude-haiku-5-5', 0.1, 0.5],
    ['claude-haiku-4-5', 1, 5],
  ])('knows %s by its longest prefix', (model, input, output) => {
    expect(priceOf(model, listPrices)).toMatchObject({ input, output });
  });

  it.each(['qwen3-coder', 'gpt-5', 'claude-opus-50', 'claude-opus-4-1', 'claude-haiku-6', '', '__proto__'])(
    'makes up no price for %j',
    (model) => {
      expect(priceOf(model, listPrices)).toBeNull();
    },
  );
});

describe('costNanoUsd', () => {
  const sonnet = priceOf('claude-sonnet-5-5', listPrices) ?? { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const haiku = priceOf('claude-haiku-5-5', listPrices) ?? sonnet;

  it('adds up the four kinds, exactly', () => {
    const tokens = {
      input: 1_000_000,
      output: 1_000_000,
      cacheRead: 1_000_000,
      cacheWrite: 1_000_000,
      cacheWrite1h: 0,
    };

    expect(costNanoUsd(sonnet, tokens)).toBe((2 + 10 + 0.1 + 2.5) * 1e9);
    expect(costNanoUsd(haiku, { ...none, cacheRead: 1 })).toBe(10);
  });

  it('charges writes for an hour at twice the input price', () => {
    expect(costNanoUsd(sonnet, { ...none, cacheWrite: 1000, cacheWrite1h: 400 })).toBe(600 * 2500 + 400 * 4000);
  });

  it('charges a long prompt its own rates for every token, cached ones counted', () => {
    const short = { ...none, input: 40_000, cacheRead: 60_000, output: 100 };

    expect(costNanoUsd(haiku, short)).toBe(40_000 * 100 + 60_000 * 10 + 100 * 500);
    expect(costNanoUsd(haiku, { ...short, input: 40_001 })).toBe(40_001 * 500 + 60_000 * 50 + 100 * 2500);
  });

  it('reserves no less than any split of the same tokens costs', () => {
    const highest = highestCostNanoUsd(sonnet, 1000, 500);

    expect(highest).toBeGreaterThanOrEqual(costNanoUsd(sonnet, { ...none, input: 1000, output: 500 }));
    expect(highest).toBeGreaterThanOrEqual(costNanoUsd(sonnet, { ...none, cacheWrite: 1000, output: 500 }));
  });
});
