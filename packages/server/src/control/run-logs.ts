import {
  BlockedError,
  ConfigError,
  DrydockError,
  ProgressPage,
  TransientError,
  WireError,
  fromWireError,
  type ProgressEntry,
  type RunId,
  type Secret,
} from '@drydock/core';

/** Where logs of runs come from. */
export interface RunLogs {
  /** Oldest first, waited for if there are none yet; null for a run that nobody knows, or knows any more. */
  progressAfter(
    runId: RunId,
    query: { readonly after: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<readonly ProgressEntry[] | null>;
}

/** Where the gateway is, and the token that only looks. */
export interface GatewayLogSettings {
  readonly url: string;
  readonly viewToken: Secret;
  readonly timeoutMs: number;
}

const maxAnswerBytes = 16 * 1024 * 1024;

/** Logs from the gateway. It never retries: who asks does. Throws `ConfigError` for a token that no header can carry. */
export function gatewayLogs({ url, viewToken, timeoutMs }: GatewayLogSettings): RunLogs {
  // An error about a bad header would repeat it, and with it the token.
  if (!/^[\x21-\x7e]+$/.test(viewToken.reveal())) {
    throw new ConfigError('Wrong settings:\n  DRYDOCK_GATEWAY_VIEW_TOKEN: must be printable ASCII without spaces');
  }
  const get = async (path: string, signal: AbortSignal) => {
    const headers = { authorization: `Bearer ${viewToken.reveal()}` };
    const { status, text } = await send(new URL(`/control/v1/runs/${path}`, url), headers, timeoutMs, signal);
    return { status, answer: parseJson(text) };
  };
  return {
    async progressAfter(runId, { after, waitMs }, signal) {
      const query = `after=${String(after)}&waitMs=${String(waitMs)}`;
      const { status, answer } = await get(`${runId}/progress?${query}`, signal);
      const entries = read(status, answer);
      if (entries.length > 0) return entries;
      const run = await get(runId, signal);
      if (isUnknown(run.answer)) return null;
      return run.status === 200 ? entries : read(run.status, run.answer);
    },
  };
}

async function send(target: URL, headers: Record<string, string>, timeoutMs: number, signal: AbortSignal) {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(target, { headers, redirect: 'manual', signal: AbortSignal.any([signal, limit]) });
    return { status: response.status, text: await readCapped(response) };
  } catch (cause) {
    if (cause instanceof DrydockError) throw cause;
    const [code, message] = limit.aborted
      ? (['gateway.timeout', 'the gateway did not answer in time'] as const)
      : (['gateway.unreachable', 'the gateway cannot be reached'] as const);
    throw new TransientError(code, message, { cause });
  }
}

function isUnknown(answer: unknown): boolean {
  const error = WireError.safeParse(answer);
  return error.success && error.data.error.code === 'run.unknown';
}

function read(status: number, answer: unknown): readonly ProgressEntry[] {
  if (status === 200) {
    const parsed = ProgressPage.safeParse(answer);
    if (parsed.success) return parsed.data.entries;
    throw new TransientError('gateway.bad_answer', 'the gateway gave an answer of another shape', {
      cause: parsed.error,
    });
  }
  if (status === 401) {
    throw new BlockedError(
      'gateway.unauthorized',
      'the gateway refused the view token of the server: is DRYDOCK_GATEWAY_VIEW_TOKEN one of its DRYDOCK_VIEW_TOKENS?',
    );
  }
  const error = WireError.safeParse(answer);
  if (error.success && error.data.error.class !== 'terminal') throw fromWireError(error.data);
  throw new TransientError('gateway.bad_answer', `the gateway answered ${String(status)}`);
}

async function readCapped(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes)
      throw new TransientError('gateway.bad_answer', 'the gateway gave an answer that is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
