import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ReviewPolicy,
  Secret,
  runIdOf,
  systemClock,
  taskIdOf,
  type Log,
  type MergeRequestRef,
  type Publication,
} from '@drydock/core';
import type { TaskView } from '@drydock/queue';
import { startStandalone } from '@drydock/standalone';
import type { HookBody } from '@drydock/testkit';
import type { LiveSettings } from './live-settings.ts';
import { noSignal, poll, type Live } from './open-live.ts';

/** Drydock at work on the live project. Dispose of it. */
export interface LiveDrydock extends AsyncDisposable {
  /** Delivers a webhook in GitLab's place, which cannot reach this machine; gives what became of it. */
  deliver(body: HookBody): Promise<string>;
  /** Waits until the task has ended, for this launch or a later one; 0: in any way. */
  ended(ref: MergeRequestRef, launch?: number): Promise<TaskView>;
  /** What the last launch of a task published; throws, with what the log says, when it published nothing. */
  publicationOf(task: TaskView): Publication;
}

const policyLimits = { budget: { usdPerRun: 1, usdPerDay: 3 } };
const endedWithinMs = 20 * 60_000;
const keptLogLines = 30;

/**
 * Starts server, scheduler and gateway on loopback, with keys of their own and nothing kept. `freeModel` reviews in
 * place of the configured one, and what it uses is not counted.
 */
export async function startLiveDrydock(
  live: Live,
  freeModel: LiveSettings['gateway']['model'] | null = null,
): Promise<LiveDrydock> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'drydock-live-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const signingKey = randomBytes(32);
  const logLines: string[] = [];
  const { gateway, modelName, searchPath } = live.settings;
  const standalone = stack.use(
    await startStandalone(
      {
        gateway: {
          ...gateway,
          model: freeModel ?? gateway.model,
          markerKeys: [new Secret(randomBytes(32).toString('hex'))],
        },
        policy: ReviewPolicy.parse({
          ...policyLimits,
          ...(freeModel !== null || modelName === null ? {} : { model: modelName }),
          botAuthors: live.person === null ? [live.bot.user.username] : [],
        }),
        forgeId: 'gitlab',
        webhookSecrets: [new Secret(`whsec_${signingKey.toString('base64')}`)],
        projects: [String(live.project.id)],
        redis: null,
        listen: { host: '127.0.0.1', port: 0 },
        debounceMs: 0,
        maxDebounceMs: 0,
        maxRunning: 1,
        dataDir,
        searchPath,
        version: 'live-test',
      },
      { clock: systemClock, log: rememberingLog(logLines) },
    ),
  );
  let crash: Error | null = null;
  standalone.ended.catch((cause: unknown) => {
    crash = new Error('the scheduler crashed', { cause });
  });
  const countedRuns = new Set<string>();
  const kept = stack.move();

  /** Reviews that failed have cost something too. */
  async function countRuns({ taskId, launch: newest }: TaskView): Promise<void> {
    for (let launch = 1; launch <= newest; launch += 1) {
      const runId = runIdOf(taskId, launch);
      const run = countedRuns.has(runId) ? null : await standalone.readRun(runId, noSignal);
      if (run === null) continue;
      countedRuns.add(runId);
      live.spent.push(run.usage);
    }
  }

  return {
    deliver: (body) => deliver(`${standalone.serverUrl}/webhooks/gitlab`, signingKey, body),
    async ended(ref, launch = 0) {
      const taskId = taskIdOf('review', ref);
      const task = await poll(endedWithinMs, `the review did not end\n${logLines.join('\n')}`, async () => {
        if (crash !== null) throw crash;
        const found = await standalone.queue.get(taskId);
        return found !== null && found.outcome !== null && found.launch >= launch && !isAtWork(found) ? found : null;
      });
      if (freeModel === null) await countRuns(task);
      return task;
    },
    publicationOf(task) {
      const publication = standalone.publications.get(runIdOf(task.taskId, task.launch));
      if (publication !== undefined) return publication;
      const { state, outcome, lastError } = task;
      throw new Error(
        [`no review was published: ${JSON.stringify({ state, outcome, lastError })}`, ...logLines].join('\n'),
      );
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Signs in the manner of Standard Webhooks, as GitLab does. */
async function deliver(url: string, key: Buffer, body: HookBody): Promise<string> {
  const [id, timestamp, bytes] = [randomUUID(), String(Math.floor(Date.now() / 1000)), JSON.stringify(body)];
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${bytes}`).digest('base64');
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    body: bytes,
    signal: AbortSignal.timeout(30_000),
  });
  const outcome = response.headers.get('x-drydock-outcome') ?? '';
  if (response.status !== 200) throw new Error(`the webhook was answered ${response.status} (${outcome})`);
  return outcome;
}

function isAtWork({ state }: TaskView): boolean {
  return state === 'waiting' || state === 'leased' || state === 'running' || state === 'publishing';
}

/** Keeps the newest warnings and errors, to be shown with a failure. */
function rememberingLog(lines: string[]): Log {
  const keep: Log['warn'] = ({ err, ...facts }, message) => {
    const cause = err instanceof Error ? ` ${err.message}` : '';
    lines.push(`${message} ${JSON.stringify(facts)}${cause}`);
    if (lines.length > keptLogLines) lines.shift();
  };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: keep, error: keep, child: () => log };
  return log;
}
