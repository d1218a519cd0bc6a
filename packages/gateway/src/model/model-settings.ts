import type { Secret } from '@drydock/core';
import type { ModelRetries } from './call-upstream.ts';
import type { ModelPrices } from './model-prices.ts';

/** Where models are and what of them agents may use. */
export interface ModelSettings {
  /** Such as `https://api.anthropic.com`: the Messages endpoint is below `/v1/messages`. */
  readonly baseUrl: string;
  /** Null: the server wants none. */
  readonly apiKey: Secret | null;
  readonly prices: ModelPrices;
  /** Models beside the one of the run's policy. */
  readonly allowedModels: readonly string[];
  readonly allowedBetas: readonly string[];
  readonly retries: ModelRetries;
  readonly callTimeoutMs: number;
  readonly maxAnswerBytes: number;
  /** Tells apart installations that share an answer store: see `answerScope`. */
  readonly installation: string;
}
