import { randomBytes } from 'node:crypto';
import { Secret } from '@drydock/core';

/** The name by which the scripted model is asked for. It has no price: what costs nothing shows no cost. */
export const scriptedModelName = 'scripted';

/** A scripted model at work on loopback. */
export interface ScriptedModel extends AsyncDisposable {
  /** Of its Messages endpoint; no path. */
  readonly url: string;
  readonly apiKey: Secret;
}

const limits = { maxInputTokens: 1_000_000, maxOutputTokens: 128_000, minCacheTokens: 1024 };
const takes = { takesSampling: false, takesPrefill: false, takesThinkingBudget: false, takesAdaptiveThinking: true };

/**
 * Starts a reviewer of a few fixed rules behind a Messages endpoint: it needs no key, costs nothing, waits for nothing,
 * and says the same of the same change. It is no model, and whoever offers it must say so.
 */
export async function startScriptedModel(): Promise<ScriptedModel> {
  // Only here: most who load this file never ask for it, and it brings all the fakes.
  const { scriptedReviewer, startFakeClaude } = await import('@drydock/testkit');
  const apiKey = randomBytes(16).toString('hex');
  const fake = await startFakeClaude({
    apiKey,
    script: scriptedReviewer(),
    models: [{ id: scriptedModelName, displayName: 'Scripted rules', ...limits, ...takes }],
    isRecording: false,
    allowViolations: true, // a refused request fails the review, which tells more than a throw at the end
  });
  return { url: fake.url, apiKey: new Secret(apiKey), [Symbol.asyncDispose]: () => fake.stop() };
}
