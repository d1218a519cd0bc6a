import { closeSync, openSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { Secret, silentLog, systemClock } from '@drydock/core';
import { connectRedis, connectRedisTaskQueue, type LeasedTask, type TaskQueue } from '@drydock/queue';
import { startProcess, type StartedProcess } from '@drydock/testkit';
import { aHook } from '../testing/test-server.ts';

const main = new URL('../main.ts', import.meta.url);
const never = new AbortController().signal;

/** The token that these servers take, unless they are told otherwise. */
export const token = 'token-of-the-hook';

/** What a sender saw: the status, the word for what became of it, and how long it took. */
export interface Answer {
  /** A code such as ECONNRESET where there was no answer. */
  readonly status: number | string;
  readonly outcome: string | undefined;
  readonly tookMs: number;
}

/** A server as an installation runs it, and a sender. */
export interface ServerProcess extends AsyncDisposable {
  readonly process: StartedProcess;
  readonly port: number;
  /** A delivery of a merge request with this iid. */
  post(iid: number, headers?: Readonly<Record<string, string>>, body?: string): Promise<Answer>;
  /** What a page such as `readyz` says. */
  page(name: string): Promise<{ readonly status: number; readonly text: string }>;
  /** The value of a metric, by its name with its labels. */
  metric(name: string): Promise<number>;
}

/** Starts the server on a free port. */
export async function startServerProcess(
  redisPort: number,
  environment: Readonly<Record<string, string>> = {},
  { maxSockets = 64, logFile }: { readonly maxSockets?: number; readonly logFile?: string } = {},
): Promise<ServerProcess> {
  const log = logFile === undefined ? 'pipe' : openSync(logFile, 'a');
  const settings = {
    DRYDOCK_SERVER_PORT: '0',
    DRYDOCK_SERVER_HOST: '127.0.0.1',
    DRYDOCK_REDIS_URL: `redis://127.0.0.1:${String(redisPort)}`,
    DRYDOCK_WEBHOOK_SECRETS: token,
    DRYDOCK_DEBOUNCE_MS: '0',
    DRYDOCK_MAX_DEBOUNCE_MS: '0',
    ...environment,
  };
  const process = startProcess(main, settings, [], log);
  if (log !== 'pipe') closeSync(log);
  const agent = new Agent({ keepAlive: true, maxSockets });
  const end = async () => {
    agent.destroy();
    await process[Symbol.asyncDispose]();
  };
  const started =
    logFile === undefined
      ? process.logged('server started').then((line) => Number(line['port']))
      : until(() => readFileSync(logFile, 'utf8').includes('server started')).then(() =>
          Number(/"port":(\d+),"msg":"server started"/.exec(readFileSync(logFile, 'utf8'))?.[1]),
        );
  const port = await started.catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return {
    process,
    port,
    post: (iid, headers = {}, body = aHook({ iid })) =>
      send(port, agent, { 'content-type': 'application/json', 'x-gitlab-token': token, ...headers }, body),
    page: async (name) => {
      const response = await fetch(`http://127.0.0.1:${String(port)}/${name}`);
      return { status: response.status, text: await response.text() };
    },
    metric: async (name) => {
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length),
      );
    },
    [Symbol.asyncDispose]: end,
  };
}

function send(port: number, agent: Agent, headers: Record<string, string>, body: string): Promise<Answer> {
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const answer = (status: number | string, outcome?: string) => {
      resolve({ status, outcome, tookMs: performance.now() - startedAtMs });
    };
    const options = { host: '127.0.0.1', port, path: '/webhooks/gitlab', method: 'POST', headers, agent };
    const call = request(options, (response) => {
      response.on('error', () => undefined);
      response.resume().on('end', () => {
        answer(response.statusCode ?? 0, String(response.headers['x-drydock-outcome']));
      });
    });
    call.on('error', (error: Error & { code?: string }) => {
      answer(error.code ?? error.message);
    });
    call.end(body);
  });
}

/** The queue of that Redis, past all proxies. */
export async function queueOf(redisPort: number): Promise<TaskQueue & AsyncDisposable> {
  const url = new Secret(`redis://127.0.0.1:${String(redisPort)}`);
  const queue = await connectRedisTaskQueue({ url, log: silentLog, commandTimeoutMs: 60_000 });
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() });
}

/** A connection of the operator's. */
export async function operatorOf(redisPort: number) {
  const url = new Secret(`redis://127.0.0.1:${String(redisPort)}`);
  const redis = await connectRedis({ url, commandTimeoutMs: 60_000 }, silentLog);
  return Object.assign(redis, {
    [Symbol.asyncDispose]: () => {
      redis.disconnect();
      return Promise.resolve();
    },
  });
}

/** Leases all that waits. */
export async function drain(queue: TaskQueue): Promise<readonly LeasedTask[]> {
  const limits = { total: 1_000_000, perForge: null, perProject: null };
  const taken: LeasedTask[] = [];
  for (;;) {
    const task = await queue.lease({ owner: 'test', ttlMs: 3_600_000, limits });
    if (task === null) return taken;
    taken.push(task);
  }
}

/** Waits until it is so. */
export async function until(isSo: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`still not so: ${isSo.toString()}`);
    await systemClock.sleep(10, never);
  }
}
