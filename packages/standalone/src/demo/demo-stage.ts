import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { ReviewPolicy, Secret, taskIdOf, type Clock, type Log, type TaskId } from '@drydock/core';
import { ObjectReader, runGit } from '@drydock/git';
import type { ControlToken } from '@drydock/server';
import {
  buildDemoRepository,
  demoProject,
  scriptedReviewer,
  startFakeClaude,
  startFakeGitLab,
  type FakeGitLab,
} from '@drydock/testkit';
import { startStandalone, type Standalone } from '../start-standalone.ts';
import type { DemoConfig } from './demo-config.ts';
import { forgetRedisKeys } from './redis-forget-keys.ts';

const forgeId = 'gitlab';
const anthropicUrl = 'https://api.anthropic.com';
/** Between the events of the scripted model's answers, so that one can watch. */
const scriptedGapMs = 2;
const scriptedLatencyMs = 150;
const readTimeoutMs = 30_000;
const maxFileBytes = 1024 * 1024;

/** Everything that the demo plays on. Dispose of it: nothing is left behind. */
export interface DemoStage extends AsyncDisposable {
  readonly gitlab: FakeGitLab;
  readonly standalone: Standalone;
  /** `isPaid`: a real model, whose tokens cost money. */
  readonly model: { readonly name: string; readonly isPaid: boolean };
  /** Opens the merge request; the fake delivers the webhook. */
  openMergeRequest(): Promise<{ readonly iid: number; readonly taskId: TaskId; readonly url: string }>;
  /** Pushes the commit that fixes one bug and moves another. */
  pushAgain(): Promise<void>;
  /** A file of the merge request at its newest head, or at the base. */
  readLines(side: 'new' | 'old', path: string): Promise<readonly string[] | null>;
}

/** Starts a strict fake GitLab with the demo's repository, the model if none is configured, and Drydock itself. */
export async function startDemoStage(
  config: DemoConfig,
  ports: {
    readonly clock: Clock;
    readonly log: Log;
    readonly searchPath: string;
    readonly controlTokens?: readonly ControlToken[];
  },
): Promise<DemoStage> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'drydock-demo-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  const repository = await buildDemoRepository(join(folder, 'origin.git'));
  const gitlab = stack.use(await startFakeGitLab());
  const project = await gitlab.createProject({ path: demoProject.path, fromDir: repository.gitDir });
  const author = gitlab.createUser({ username: 'jonas', name: demoProject.mergeRequest.authorName });
  gitlab.setRole(project, author, 'developer');

  const isScripted = config.anthropicApiKey === undefined && config.modelUrl === undefined;
  const scripted = isScripted
    ? stack.use(
        await startFakeClaude({
          apiKey: randomBytes(16).toString('hex'),
          script: scriptedReviewer(),
          latencyMs: scriptedLatencyMs,
          gapMs: scriptedGapMs,
        }),
      )
    : null;
  const policy = ReviewPolicy.parse(config.model === undefined ? {} : { model: config.model });
  const redis =
    config.redisUrl === undefined
      ? null
      : { url: config.redisUrl, keyPrefix: `drydock-demo-${randomBytes(4).toString('hex')}` };
  let isStarted = false;
  if (redis !== null) {
    stack.defer(async () => {
      if (isStarted) await forgetRedisKeys(redis.url, redis.keyPrefix, ports.log);
    });
  }
  const signingToken = `whsec_${randomBytes(32).toString('base64')}`;
  const standalone = stack.use(
    await startStandalone(
      {
        gateway: {
          forges: [{ kind: 'gitlab', id: forgeId, baseUrl: gitlab.url, token: new Secret(gitlab.token) }],
          model:
            scripted === null
              ? { baseUrl: config.modelUrl ?? anthropicUrl, apiKey: config.anthropicApiKey ?? null }
              : { baseUrl: scripted.url, apiKey: new Secret(scripted.apiKey) },
          markerKeys: [new Secret(randomBytes(32).toString('hex'))],
          proxy: {
            httpProxy: config.httpProxy ?? null,
            httpsProxy: config.httpsProxy ?? null,
            noProxy: config.noProxy ?? null,
          },
          caPem: null,
        },
        policy,
        forgeId,
        webhookSecrets: [new Secret(signingToken)],
        projects: [demoProject.path],
        controlTokens: ports.controlTokens ?? [],
        redis,
        listen: { host: '127.0.0.1', port: 0 },
        debounceMs: 200,
        maxDebounceMs: 1000,
        maxRunning: 1,
        dataDir: join(folder, 'data'),
        searchPath: ports.searchPath,
        version: 'demo',
      },
      ports,
    ),
  );
  isStarted = true;
  gitlab.addWebhook({ url: `${standalone.serverUrl}/webhooks/${forgeId}`, signingToken });

  const { title, description, sourceBranch, targetBranch } = demoProject.mergeRequest;
  const kept = stack.move();
  return {
    gitlab,
    standalone,
    model: { name: isScripted ? 'scripted' : policy.model, isPaid: !isScripted },
    async openMergeRequest() {
      const { iid } = await gitlab.openMergeRequest({
        project,
        sourceBranch,
        targetBranch,
        title,
        description,
        author,
      });
      return {
        iid,
        taskId: taskIdOf('review', { forge: forgeId, projectId: String(project.id), iid }),
        url: `${gitlab.url}/${demoProject.path}/-/merge_requests/${String(iid)}`,
      };
    },
    async pushAgain() {
      const { gitDir, secondHeadSha } = repository;
      const signal = AbortSignal.timeout(30_000);
      await runGit({
        repo: { gitDir, searchPath: ports.searchPath },
        args: ['update-ref', `refs/heads/${sourceBranch}`, secondHeadSha],
        signal,
        timeoutMs: 30_000,
        maxOutputBytes: 1024,
      });
      await gitlab.pushFrom(project, gitDir, sourceBranch, author);
    },
    async readLines(side, path) {
      await using reader = new ObjectReader({ repo: { gitDir: repository.gitDir, searchPath: ports.searchPath } });
      const revision = side === 'new' ? `refs/heads/${sourceBranch}` : repository.baseSha;
      const found = await reader.read(
        { revision, path },
        { maxBytes: maxFileBytes, signal: AbortSignal.timeout(readTimeoutMs) },
      );
      return found.kind === 'found' ? found.content.toString('utf8').split('\n') : null;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
