import { DrydockError, TaskId, type Clock, type Log, type LogFacts } from '@drydock/core';
import type { Request } from 'express';
import type { Caller } from './control-tokens.ts';
import type { Answered } from './handlers.ts';
import type { Operation } from './operations.ts';
import type { ParsedRequest } from './read-request.ts';

/** Follows an order to its end. */
export interface Audit {
  read(parsed: ParsedRequest): void;
  done(answered: Answered): void;
  failed(error: unknown): void;
}

/** Leaves one line in the log for an order, carried out or not, with who gave it. */
export function startAudit(
  { log, clock }: { readonly log: Log; readonly clock: Clock },
  operation: Operation,
  request: Request,
  caller: Caller | null,
): Audit {
  const startedAtMs = clock.monotonicMs();
  const { taskId } = request.params;
  let facts: LogFacts = { who: caller?.name ?? 'nobody', event: operation.id };
  if (TaskId.max(120).safeParse(taskId).success && typeof taskId === 'string') facts = { ...facts, taskId };
  const took = () => ({ durationMs: Math.round(clock.monotonicMs() - startedAtMs) });
  return {
    read({ query, body }) {
      facts = { ...facts, ...scopeFacts(query), ...scopeFacts(body) };
    },
    done({ outcome, count }) {
      log.info({ ...facts, ...took(), outcome, ...(count === null ? {} : { count }) }, 'order carried out');
    },
    failed(error) {
      const code = error instanceof DrydockError ? { code: error.code } : {};
      log.warn({ ...facts, ...took(), ...code }, 'order not carried out');
    },
  };
}

/** What an order was about, as far as it is a fact for the log. */
function scopeFacts(value: unknown): LogFacts {
  if (typeof value !== 'object' || value === null) return {};
  const inner: object =
    'scope' in value && typeof value.scope === 'object' && value.scope !== null ? value.scope : value;
  const text = (key: string): string | null => {
    const found: unknown = Object.getOwnPropertyDescriptor(inner, key)?.value;
    return typeof found === 'string' ? found : null;
  };
  const [kind, forge, projectId] = [text('kind'), text('forge'), text('projectId')] as const;
  const why = 'why' in value && typeof value.why === 'string' ? { reason: value.why } : {};
  const dry = 'isDryRun' in value && value.isDryRun === true ? { decision: 'dry-run' } : {};
  return {
    ...(kind === null ? {} : { kind }),
    ...(forge === null ? {} : { forge }),
    ...(projectId === null ? {} : { projectId }),
    ...why,
    ...dry,
  };
}
