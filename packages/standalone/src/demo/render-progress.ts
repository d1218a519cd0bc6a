import { unreachable, type ProgressEntry, type RunUsage } from '@drydock/core';
import { totalTokens } from '@drydock/core';
import type pc from 'picocolors';

type Colors = ReturnType<typeof pc.createColors>;

/** One line for one thing that the agent did; null for what is not worth a line. */
export function renderProgress({ event, usage }: ProgressEntry, colors: Colors): string | null {
  switch (event.kind) {
    case 'stage-started':
      return null;
    case 'stage-ended':
      return `     ${colors.green('✓')} ${event.stage.padEnd(12)} ${formatSeconds(event.durationMs)}`;
    case 'turn':
      return `     ${colors.dim('·')} turn ${String(event.turn).padEnd(7)} ${colors.dim(formatUsage(usage))}`;
    case 'tool': {
      const mark = event.isError ? colors.red('!') : ' ';
      return `       ${mark} ${event.tool.padEnd(16)} ${colors.dim(event.target)}`;
    }
    case 'finding':
      return `       ${colors.yellow('→')} ${event.severity} finding in ${event.path}:${String(event.line)}`;
    case 'log':
      return event.level === 'info' ? null : `       ${colors.yellow(event.text)}`;
    default:
      return unreachable(event);
  }
}

/** `12,345 tokens, $0.0123`, or without the money when there is no known price. */
export function formatUsage(usage: RunUsage): string {
  const tokens = `${totalTokens(usage.tokens).toLocaleString('en-US')} tokens`;
  return usage.costUsd === null ? tokens : `${tokens}, $${usage.costUsd.toFixed(4)}`;
}

/** `0.12 s` */
export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
