import type { TokenUsage } from '@drydock/core';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { ExchangeResult } from './exchange/exchange-token.ts';
import type { AnswerLookup } from './model/call-reuse.ts';

/** The routes that are counted; anything else is `other`. */
export type RouteName =
  | 'exchange'
  | 'context'
  | 'git_refs'
  | 'git_upload_pack'
  | 'messages'
  | 'progress'
  | 'result'
  | 'merge_request'
  | 'state'
  | 'member'
  | 'start_run'
  | 'runs_over'
  | 'run'
  | 'run_progress'
  | 'run_report'
  | 'revoke'
  | 'publish'
  | 'projects'
  | 'open_merge_requests'
  | 'hooks'
  | 'hook_failures'
  | 'hook_resend'
  | 'metrics'
  | 'health'
  | 'other';

/** What the gateway counts. Labels are bounded: routes, models of the allow-list, kinds; never a project or a run. */
export interface GatewayMetrics {
  /** `status` 0: the client left before an answer. */
  answered(route: RouteName, status: number, durationMs: number): void;
  granted(outcome: string): void;
  /** A pod asked for the token of its run. */
  tokenExchanged(result: ExchangeResult): void;
  modelCalled(model: string, outcome: string, tokens: TokenUsage | null): void;
  /** `hit`, `miss` or `failed`: what asking the answer store came to. */
  answerLookedUp(lookup: AnswerLookup): void;
  published(comments: number): void;
  /** `status` 0: there was no answer. */
  forgeAnswered(forge: string, status: number): void;
}

/** Registers the metrics. */
export function createGatewayMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'drydock_gateway_requests_total',
    help: 'Requests by route and what became of them',
    labelNames: ['route', 'decision'],
    registers,
  });
  const seconds = new Histogram({
    name: 'drydock_gateway_request_seconds',
    help: 'Time to the end of the answer',
    labelNames: ['route'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300],
    registers,
  });
  const grants = new Counter({
    name: 'drydock_gateway_runs_total',
    help: 'Runs asked for, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const exchanges = new Counter({
    name: 'drydock_token_exchanges_total',
    help: 'Pods that asked for the token of their run, by what became of it',
    labelNames: ['result'],
    registers,
  });
  const replays = new Counter({
    name: 'drydock_token_replays_total',
    help: 'Exchanges of a run whose token is with a pod already: someone may have stolen an identity',
    registers,
  });
  const calls = new Counter({
    name: 'drydock_llm_calls_total',
    help: 'Model calls by outcome',
    labelNames: ['model', 'outcome'],
    registers,
  });
  const tokens = new Counter({
    name: 'drydock_llm_tokens_total',
    help: 'Tokens by model and kind',
    labelNames: ['model', 'kind'],
    registers,
  });
  const lookups = new Counter({
    name: 'drydock_llm_answer_lookups_total',
    help: 'Model calls looked up in the answer store: hit (nothing was paid), miss, or failed',
    labelNames: ['lookup'],
    registers,
  });
  const comments = new Counter({
    name: 'drydock_gateway_published_comments_total',
    help: 'New comments of published reviews',
    registers,
  });
  const forgeRequests = new Counter({
    name: 'drydock_forge_requests_total',
    help: 'Requests to the API of a forge, by the status of its answer; none: there was no answer',
    labelNames: ['forge', 'code'],
    registers,
  });
  return {
    answered: (route, status, durationMs) => {
      requests.inc({ route, decision: decisionOf(status) });
      seconds.observe({ route }, durationMs / 1000);
    },
    granted: (outcome) => {
      grants.inc({ outcome });
    },
    tokenExchanged: (result) => {
      exchanges.inc({ result });
      if (result === 'replayed') replays.inc();
    },
    modelCalled: (model, outcome, used) => {
      calls.inc({ model, outcome });
      if (used === null) return;
      tokens.inc({ model, kind: 'input' }, used.input);
      tokens.inc({ model, kind: 'output' }, used.output);
      tokens.inc({ model, kind: 'cache_read' }, used.cacheRead);
      tokens.inc({ model, kind: 'cache_write' }, used.cacheWrite);
    },
    answerLookedUp: (lookup) => {
      lookups.inc({ lookup });
    },
    published: (count) => {
      comments.inc(count);
    },
    forgeAnswered: (forge, status) => {
      forgeRequests.inc({ forge, code: status === 0 ? 'none' : String(status) });
    },
  };
}

function decisionOf(status: number): string {
  if (status === 0) return 'abandoned';
  if (status < 300) return 'allowed';
  if (status === 401) return 'unauthorized';
  if (status === 404) return 'not_found';
  if (status === 410) return 'stale';
  if (status === 424) return 'blocked';
  return status < 500 && status !== 429 ? 'refused' : 'failed';
}
