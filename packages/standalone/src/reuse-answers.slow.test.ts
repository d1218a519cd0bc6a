/** An attempt that died is made again: a real gateway with answers on disk, and real agents as processes. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agentMainPath } from '@drydock/agent';
import { ReviewPolicy, Secret, runIdOf, silentLog, systemClock, taskIdOf, type RunView } from '@drydock/core';
import { DiskAnswerStore, MemoryRunStore, startGateway } from '@drydock/gateway';
import { HttpGateway, LocalLauncher } from '@drydock/scheduler';
import {
  claudeFault,
  reply,
  startFakeClaude,
  startFakeGitLab,
  toolUse,
  type ClaudeReply,
  type FakeClaude,
  type FakeGitLab,
} from '@drydock/testkit';
import { Registry } from 'prom-client';

const never = new AbortController().signal;
const searchPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
const before = 'export function sum(a, b) {\n  return a + b;\n}\n';

/** Ten turns with all the tools whose results could hold something of the attempt. */
const turns: readonly ClaudeReply[] = [
  reply.toolUse('show_diff', {}),
  reply.blocks([toolUse('show_diff', { path: 'src/sum.js' }), toolUse('list_files', {})]),
  reply.toolUse('read_file', { path: 'src/sum.js' }),
  reply.toolUse('read_file', { path: 'src/sum.js', ref: 'base' }),
  reply.toolUse('search', { pattern: 'sum' }),
  reply.toolUse('log', {}),
  reply.toolUse('blame', { path: 'src/sum.js', startLine: 1, endLine: 3 }),
  reply.toolUse('read_file', { path: 'src/not-there.js' }),
  reply.toolUse('report_finding', {
    path: 'src/sum.js',
    side: 'new',
    startLine: 2,
    endLine: 2,
    severity: 'high',
    category: 'correctness',
    confidence: 0.9,
    title: 'It subtracts',
    quotedCode: '  return a - b;',
    reason: 'sum is to add',
  }),
  reply.toolUse('finish_review', { summary: 'It breaks sum.' }),
];
const scriptedTurn = (turn: number) => turns[turn - 1] ?? reply.text('There is no such turn.');

describe('an attempt that died at its tenth turn', () => {
  let stack: AsyncDisposableStack;
  let folder: string;
  let gitlab: FakeGitLab;
  let claude: FakeClaude;
  let client: HttpGateway;
  let registry: Registry;
  let launcher: LocalLauncher;
  let ask: { readonly taskId: ReturnType<typeof taskIdOf>; readonly body: object };

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    folder = await mkdtemp(join(tmpdir(), 'drydock-answers-'));
    stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    gitlab = stack.use(await startFakeGitLab());
    claude = stack.use(await startFakeClaude({ apiKey: 'sk-ant-key', script: (_, { turn }) => scriptedTurn(turn) }));
    const project = await gitlab.createProject({ path: 'acme/shop', files: { 'src/sum.js': before } });
    await gitlab.push(project, 'feature', { 'src/sum.js': before.replace('+', '-') });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Faster', author: gitlab.bot });
    const refs = gitlab.diffRefs(1);
    const subject = { forge: 'gitlab', projectId: String(project.id), iid: 1 };
    const diffRefs = { baseSha: refs.base_sha, startSha: refs.start_sha, headSha: refs.head_sha };
    ask = { taskId: taskIdOf('review', subject), body: { v: 1, subject, diffRefs, trigger: 'opened' } };
    await openGateway();
  });
  afterEach(async () => {
    await stack.disposeAsync();
  });

  /** A gateway that knows nothing but what is on the disk. */
  async function openGateway(): Promise<void> {
    const world = { clock: systemClock, log: silentLog };
    const controlToken = new Secret(randomUUID());
    registry = new Registry();
    const gateway = await startGateway(
      {
        listen: { host: '127.0.0.1', port: 0 },
        controlTokens: [controlToken],
        forges: [{ kind: 'gitlab', id: 'gitlab', baseUrl: gitlab.url, token: new Secret(gitlab.token) }],
        model: { baseUrl: claude.url, apiKey: new Secret(claude.apiKey) },
        answers: {
          store: await DiskAnswerStore.open({ folder: join(folder, 'answers') }, { ...world, createId: randomUUID }),
          installation: gitlab.url,
        },
        markerKeys: [new Secret('a-key-that-stays-the-same')],
        policy: ReviewPolicy.parse({}),
        dataDir: join(folder, 'gateway'),
        searchPath,
        proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
        caPem: null,
      },
      { ...world, store: new MemoryRunStore(), registry },
    );
    stack.defer(() => gateway.close());
    client = new HttpGateway({ url: gateway.url, controlToken, timeoutMs: 30_000, longTimeoutMs: 60_000 });
    const command = [process.execPath, agentMainPath] as const;
    const workRoot = join(folder, 'runs');
    launcher = new LocalLauncher(
      { command, gatewayUrl: gateway.url, workRoot, path: searchPath, graceMs: 1 },
      systemClock,
    );
  }

  async function run(launch: number, signal: AbortSignal = never): Promise<RunView | null> {
    const grant = await client.startRun({ ...ask.body, taskId: ask.taskId, launch }, never);
    if (grant.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(grant)}`);
    const { runId, token, deadlineSeconds } = grant;
    await launcher.run({ runId, token: new Secret(token), deadlineSeconds }, signal);
    return client.readRun(runIdOf(ask.taskId, launch), never);
  }

  /** Kills the agent while the model works on its tenth answer. */
  async function dieAtTheTenth(): Promise<RunView | null> {
    const kill = new AbortController();
    claude.setScript((_, { turn }) => {
      if (turn < turns.length) return scriptedTurn(turn);
      setImmediate(() => {
        kill.abort();
      });
      return reply.fault(claudeFault.hang());
    });
    const died = await run(1, kill.signal);
    claude.setScript((_, { turn }) => scriptedTurn(turn));
    return died;
  }

  it.each([
    ['the same gateway', async () => undefined],
    ['another gateway with the same disk', openGateway],
  ])('pays for that turn alone when it is made again through %s', async (_, between) => {
    const died = await dieAtTheTenth();
    expect(died).toMatchObject({ result: null, usage: { calls: 9, reusedCalls: 0 } });
    const paidBefore = claude.requests.length;
    await between();

    const second = await run(2);

    expect(claude.requests.length - paidBefore).toBe(1);
    expect(second?.result).toMatchObject({
      kind: 'review',
      partial: null,
      turns: 10,
      findings: [{ title: 'It subtracts' }],
    });
    expect(second?.usage).toMatchObject({ calls: 1, reusedCalls: 9 });
  });

  it('pays for nothing when a whole review is asked again', async () => {
    const first = await run(1);
    const second = await run(2);

    expect(claude.requests).toHaveLength(10);
    expect(second?.usage).toMatchObject({ calls: 0, reusedCalls: 10, costUsd: 0 });
    const metrics = await registry.metrics();
    expect(metrics).toContain('drydock_llm_answer_lookups_total{lookup="miss"} 10');
    expect(metrics).toContain('drydock_llm_answer_lookups_total{lookup="hit"} 10');
    const findingsOf = (view: RunView | null) => (view?.result?.kind === 'review' ? view.result.findings : null);
    expect(findingsOf(second)).toEqual(findingsOf(first));
  });
});
