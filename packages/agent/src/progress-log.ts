import { DrydockError, type Log, type LogFacts, type ProgressEvent } from '@drydock/core';

/** A log whose lines the gateway keeps as progress, and that standard error shows as JSON for who starts agents. */
export function progressLog(add: (event: ProgressEvent) => void, write: (line: string) => void): Log {
  const at = (level: 'info' | 'warn' | 'error') => (facts: LogFacts, message: string) => {
    const shown = { ...facts, ...('err' in facts ? { err: nameOf(facts.err) } : {}) };
    const words = Object.entries(shown).map(([key, value]) => `${key}=${String(value)}`);
    add({ kind: 'log', level, text: [message, ...words].join(' ').slice(0, 1000) });
    write(`${JSON.stringify({ level, msg: message, ...shown })}\n`);
  };
  const log: Log = { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
  return log;
}

/** Our own errors say what happened in words that hold no secret; of others the name must do. */
function nameOf(error: unknown): string {
  if (error instanceof DrydockError) return `${error.name} ${error.code}: ${error.message}`;
  return error instanceof Error ? error.name : 'unknown';
}
