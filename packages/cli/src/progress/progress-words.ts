import { totalTokens, type RunUsage } from '@drydock/core';

const stages: Readonly<Record<string, string>> = {
  context: 'asking what is to be done',
  checkout: 'reading the repository',
  diff: 'reading the change',
  review: 'reviewing',
  submit: 'handing in',
};

/** A stage of the agent as people read it. */
export function stageName(stage: string): string {
  return stages[stage] ?? stage;
}

/** `12,345 tokens, $0.0123`; without a known price the tokens alone. */
export function usageText({ tokens, costUsd, calls, reusedCalls }: RunUsage): string {
  const count = `${totalTokens(tokens).toLocaleString('en-US')} tokens`;
  if (calls === 0 && reusedCalls > 0) return 'nothing, all answers were known';
  return costUsd === null ? `${count}, unknown cost` : `${count}, $${costUsd.toFixed(4)}`;
}

/** `0.4 s`, `72 s`, `12 min` */
export function durationText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 600_000 ? `${String(Math.round(ms / 1000))} s` : `${String(Math.round(ms / 60_000))} min`;
}
