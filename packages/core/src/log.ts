import type { Logger } from 'pino';

/**
 * The facts a log line may carry. A message is a constant lower-case phrase; everything that varies is one of these.
 * Never a credential, diff text, prompt or model output.
 */
export interface LogFacts {
  readonly component?: string;
  readonly taskId?: string;
  readonly runId?: string;
  readonly kind?: string;
  readonly forge?: string;
  readonly project?: string;
  readonly projectId?: string;
  readonly iid?: number;
  readonly headSha?: string;
  readonly jobName?: string;
  readonly podName?: string;
  readonly attempt?: number;
  readonly lease?: number;
  readonly launch?: number;
  readonly failures?: number;
  readonly trigger?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly state?: string;
  readonly outcome?: string;
  readonly deliveryId?: string;
  readonly event?: string;
  /** Who ordered it: the name of a token of the control API, never the token. */
  readonly who?: string;
  readonly requestId?: string;
  readonly route?: string;
  readonly method?: string;
  readonly status?: number;
  readonly code?: string;
  readonly model?: string;
  /** The name of a `ReviewPolicy` object. */
  readonly policy?: string;
  readonly generation?: number;
  readonly count?: number;
  readonly bytes?: number;
  readonly port?: number;
  readonly url?: string;
  readonly durationMs?: number;
  readonly delayMs?: number;
  readonly pid?: number;
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  /** The end of what a process of ours wrote to its standard error; it keeps to these rules itself. */
  readonly lastWords?: string;
  readonly place?: string;
  readonly err?: unknown;
}

/** What the code logs to: pino's logger, narrowed to the facts above. */
export interface Log {
  debug(facts: LogFacts, message: string): void;
  info(facts: LogFacts, message: string): void;
  warn(facts: LogFacts, message: string): void;
  error(facts: LogFacts, message: string): void;
  child(facts: LogFacts): Log;
}

/** Narrows a pino logger. */
export function pinoLog(logger: Logger): Log {
  return {
    debug: (facts, message) => {
      logger.debug(facts, message);
    },
    info: (facts, message) => {
      logger.info(facts, message);
    },
    warn: (facts, message) => {
      logger.warn(facts, message);
    },
    error: (facts, message) => {
      logger.error(facts, message);
    },
    child: (facts) => pinoLog(logger.child(facts)),
  };
}

/** Drops everything: for tests and for libraries that were given no log. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
