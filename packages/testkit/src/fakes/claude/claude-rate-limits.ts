const windowMs = 60_000;
const limits = { requests: 4000, tokens: 2_400_000, 'input-tokens': 2_000_000, 'output-tokens': 400_000 };

/** Counts a minute's use for the `anthropic-ratelimit-*` headers. Nothing is refused: a script does that. */
export class ClaudeRateLimits {
  #startedAtMs = 0;
  #used = { requests: 0, tokens: 0, 'input-tokens': 0, 'output-tokens': 0 };

  /** Counts one request. Cached input does not count, as with the API. */
  count(inputTokens: number, outputTokens: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#used = {
      requests: this.#used.requests + 1,
      tokens: this.#used.tokens + inputTokens + outputTokens,
      'input-tokens': this.#used['input-tokens'] + inputTokens,
      'output-tokens': this.#used['output-tokens'] + outputTokens,
    };
  }

  /** The headers as they stand. */
  headers(nowMs: number): Record<string, string> {
    this.#turn(nowMs);
    const reset = new Date(this.#startedAtMs + windowMs).toISOString().replace(/\.\d+Z$/, 'Z');
    const headers: Record<string, string> = {};
    for (const name of ['requests', 'tokens', 'input-tokens', 'output-tokens'] as const) {
      headers[`anthropic-ratelimit-${name}-limit`] = String(limits[name]);
      headers[`anthropic-ratelimit-${name}-remaining`] = String(Math.max(0, limits[name] - this.#used[name]));
      headers[`anthropic-ratelimit-${name}-reset`] = reset;
    }
    return headers;
  }

  #turn(nowMs: number): void {
    if (nowMs - this.#startedAtMs < windowMs) return;
    this.#startedAtMs = nowMs;
    this.#used = { requests: 0, tokens: 0, 'input-tokens': 0, 'output-tokens': 0 };
  }
}
