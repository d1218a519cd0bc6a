import type { IncomingHttpHeaders } from 'node:http';
import { StaleError } from '@drydock/core';
import type { RunStore, StoredRun } from './runs/run-store.ts';
import { hashRunToken, isRunToken } from './runs/run-token.ts';

/** Whose request it is. `refused`: nobody's that may ask now; why is told only to who knows a token. */
export type AuthenticatedRun =
  { readonly kind: 'run'; readonly run: StoredRun } | { readonly kind: 'refused'; readonly error: StaleError };

/** Finds the run behind a request by `Authorization: Bearer`, or by `x-api-key` as Anthropic's SDK sends it. */
export async function authenticateRun(
  store: RunStore,
  headers: IncomingHttpHeaders,
  nowMs: number,
): Promise<AuthenticatedRun> {
  const token = tokenOf(headers);
  const run = token === null ? null : await store.findByToken(hashRunToken(token));
  if (run === null) return refused('run.unknown', 'no run has this token');
  if (run.isSuperseded) return refused('run.launch_superseded', 'a newer launch of this task has begun');
  if (run.isRevoked) return refused('run.revoked', 'this run was ended');
  if (nowMs > run.record.deadlineAtMs) return refused('run.timed_out', 'the time of this run is over');
  return { kind: 'run', run };
}

function refused(code: 'run.unknown' | 'run.launch_superseded' | 'run.revoked' | 'run.timed_out', message: string) {
  return { kind: 'refused', error: new StaleError(code, message) } as const;
}

/** One token; two that differ are nobody's. */
function tokenOf({ authorization, 'x-api-key': apiKey }: IncomingHttpHeaders): string | null {
  const bearer = authorization === undefined ? null : (/^Bearer ([\w-]{1,200})$/i.exec(authorization)?.[1] ?? '');
  const key = apiKey === undefined ? null : String(apiKey);
  if (bearer !== null && key !== null && bearer !== key) return null;
  const token = bearer ?? key ?? '';
  return isRunToken(token) ? token : null;
}
