import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Secret,
  StaleError,
  agentRoutes,
  modelErrorHeaders,
  systemClock,
  type Clock,
  type TaskContext,
} from '@drydock/core';
import {
  aGitRepository,
  claudeFault,
  inOrder,
  reply,
  startFakeClaude,
  toolUse,
  type ClaudeReply,
  type ClaudeScript,
  type FileChanges,
} from '@drydock/testkit';
import { exitCodes } from './exit-codes.ts';
import { GatewayClient } from './gateway-client.ts';
import { AnthropicModel } from './loop/anthropic-model.ts';
import { runAgent } from './run-agent.ts';
import { aContext } from './testing/builders.ts';
import { testSearchPath } from './testing/open-review.ts';
import { startTestGateway, type TestFault, type TestGateway, type TestGatewayOptions } from './testing/test-gateway.ts';

let workDir: string;
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'drydock-agent-'));
});
afterEach(async () => {
  await rm(workDir, { recursive: true, force: true });
});

function run(gateway: TestGateway, scene: Scene): Promise<number> {
  const { stop = new AbortController().signal, ageMs = 0, clock = systemClock } = scene;
  const token = new Secret(gateway.token);
  return runAgent(
    {
      config: { gatewayUrl: gateway.url, runTokenFile: '', workDir, endWithStdin: false, path: testSearchPath },
      token,
      gateway: new GatewayClient({ baseUrl: gateway.url, token }, clock, () => 0),
      clock,
      random: () => 0,
      startedAtMs: clock.monotonicMs() - ageMs,
      loadModel: async (settings) => new AnthropicModel(settings, clock),
      write: () => undefined,
    },
    stop,
  );
}

const claim = {
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
};

const read = reply.blocks([toolUse('show_diff', {}), toolUse('show_diff', { path: 'src/sum.js' })]);
const report = reply.toolUse('report_finding', claim);
const finish = reply.toolUse('finish_review', { summary: 'It breaks sum.' });
const base: FileChanges = { 'src/sum.js': 'function sum(a, b) {\n  return a + b;\n}\n', 'yarn.lock': 'a\n' };
const head: FileChanges = { 'src/sum.js': 'function sum(a, b) {\n  return a - b;\n}\n' };

interface Scene {
  readonly script?: ClaudeScript | readonly ClaudeReply[];
  readonly head?: FileChanges;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly fault?: TestGatewayOptions['fault'];
  readonly stop?: AbortSignal;
  readonly during?: (gateway: TestGateway) => Promise<void>;
  readonly clock?: Clock;
  /** What is another in another attempt. */
  readonly attempt?: { readonly launch: number; readonly trigger: TaskContext['trigger']; readonly token: string };
  /** How long ago the process began. */
  readonly ageMs?: number;
}

/** Plays a run from its beginning to its end. */
async function play(scene: Scene) {
  await using repository = await aGitRepository();
  const baseSha = await repository.commit(base);
  const headSha = await repository.commit(scene.head ?? head);
  const { script = [read, report, finish] } = scene;
  const answers = typeof script === 'function' ? script : inOrder(script);
  await using claude = await startFakeClaude({ apiKey: 'key', script: answers });
  await using gateway = await startTestGateway({
    gitDir: repository.gitDir,
    context: aContext({ baseSha, startSha: baseSha, headSha }, { policy: scene.policy ?? {}, ...scene.attempt }),
    ...(scene.attempt === undefined ? {} : { token: scene.attempt.token }),
    model: { url: claude.url, apiKey: claude.apiKey },
    ...(scene.fault === undefined ? {} : { fault: scene.fault }),
  });
  const [code] = await Promise.all([run(gateway, scene), scene.during?.(gateway)]);
  expect(gateway.violations).toEqual([]);
  const bodies = claude.requests.map((call) => JSON.stringify(call.json));
  return { code, result: gateway.results[0]?.result, headSha, bodies, gateway };
}

const messages = `POST ${agentRoutes.anthropic}/v1/messages`;

function refusal(status: number, kind: string, code: string): TestFault {
  const headers = { [modelErrorHeaders.class]: kind, [modelErrorHeaders.code]: code };
  return { kind: 'status', status, headers, body: '{"type":"error","error":{"type":"api_error","message":"no"}}' };
}

describe('runAgent', () => {
  it('reviews a change and hands in what it found', async () => {
    const { code, result, headSha, gateway } = await play({});

    expect(code).toBe(exitCodes.handedIn);
    expect(result).toMatchObject({
      kind: 'review',
      headSha,
      partial: null,
      summary: 'It breaks sum.',
      findings: [{ path: 'src/sum.js', startLine: 2, quotedCode: '  return a - b;', source: { kind: 'model' } }],
      changedFiles: 1,
      notRead: [],
      turns: 3,
    });
    expect(await readdir(workDir)).toEqual(['repository.git']);
    expect(gateway.events.map((event) => ('stage' in event ? `${event.kind} ${event.stage}` : event.kind))).toEqual([
      ...['stage-started context', 'stage-ended context', 'stage-started checkout', 'stage-ended checkout'],
      ...['stage-started diff', 'stage-ended diff', 'stage-started review'],
      ...['turn', 'tool', 'tool', 'turn', 'finding', 'tool', 'turn', 'tool'],
      ...['stage-ended review', 'stage-started submit', 'stage-ended submit'],
    ]);
  });

  it('says what it left out', async () => {
    const { result } = await play({ head: { ...head, 'yarn.lock': 'b\n' } });

    expect(result).toMatchObject({
      partial: null,
      changedFiles: 2,
      notRead: [{ path: 'yarn.lock', why: 'lock file' }],
    });
  });

  it('does not say that it read lines whose end nobody was shown', async () => {
    const { result } = await play({
      head: { ...head, 'long.js': `${'x '.repeat(1001)}\nshort\n` },
      script: [read, reply.toolUse('show_diff', { path: 'long.js' }), report, finish],
    });

    expect(result).toMatchObject({
      partial: '1 of 2 files to be reviewed were not read, or not wholly.',
      notRead: [{ path: 'long.js', why: '1 of its changed lines are too long to be read to their end' }],
    });
  });

  it('asks no model when there is nothing to look at', async () => {
    const { result, bodies } = await play({ head: { 'yarn.lock': 'b\n' }, script: [] });

    expect(result).toMatchObject({
      kind: 'review',
      partial: null,
      summary: 'Nothing to review: all changed files are left out.',
      notRead: [{ path: 'yarn.lock', why: 'lock file' }],
    });
    expect(bodies).toEqual([]);
  });

  it('says which files the model did not open', async () => {
    const { result } = await play({
      head: { ...head, 'b.js': 'b\n', 'c.js': 'c\n' },
      script: [
        read,
        finish,
        reply.toolUse('finish_review', { summary: 'Enough.', notRead: [{ path: 'b.js', why: 'dull' }] }),
      ],
    });

    expect(result).toMatchObject({
      partial: '2 of 3 files to be reviewed were not read, or not wholly.',
      notRead: [
        { path: 'b.js', why: 'dull' },
        { path: 'c.js', why: 'not opened' },
      ],
    });
  });

  it.each([
    ['budget.run_spent', 'The budget for one review is used up.'],
    ['budget.day_spent', "Today's budget is used up."],
  ])('hands in what it found when %s', async (code, why) => {
    const { result } = await play({
      script: [read, report],
      fault: (route, count) => (route === messages && count === 3 ? refusal(402, 'terminal', code) : null),
    });

    expect(result).toMatchObject({
      kind: 'review',
      partial: why,
      partialCode: code,
      findings: [{ title: 'It subtracts' }],
      turns: 2,
    });
  });

  it('hands in what it found before the deadline, though the model has gone silent', async () => {
    const { result, code } = await play({
      policy: { budget: { deadlineSeconds: 60 } },
      ageMs: 51_000, // 54 s are for the review
      script: [read, report, reply.fault(claudeFault.silence(3, 100))],
    });

    expect(code).toBe(exitCodes.handedIn);
    expect(result).toMatchObject({
      kind: 'review',
      partial: 'The time for one review is used up.',
      findings: [{ title: 'It subtracts' }],
    });
  });

  it.each<[string, ClaudeReply, object]>([
    ['declines at once', reply.refusal(), { class: 'terminal', code: 'model.refused' }],
    ['is refused to us', reply.fault(claudeFault.unauthorized()), { class: 'blocked', code: 'model.unauthorized' }],
    ['wants to be paid', reply.fault(claudeFault.spendLimit()), { class: 'blocked', code: 'model.billing' }],
    ['stays overloaded', reply.fault(claudeFault.overloaded()), { class: 'transient', code: 'model.overloaded' }],
    [
      'asks to come back much later',
      reply.fault(claudeFault.rateLimited(7200)),
      { class: 'transient', code: 'model.rate_limited', retryAfterMs: 7_200_000 },
    ],
    [
      'finds the task too long',
      reply.fault(claudeFault.promptTooLong()),
      { class: 'terminal', code: 'model.context_full' },
    ],
  ])('fails visibly when the model %s', async (_, answer, failure) => {
    const { result, code } = await play({ script: () => answer });

    expect(code).toBe(exitCodes.handedIn);
    expect(result).toMatchObject({ kind: 'failed', ...failure });
    expect(JSON.stringify(result)).not.toMatch(/sum\.js|return a/);
  });

  it('keeps what it found when the model declines later', async () => {
    const { result } = await play({ script: [read, report, reply.refusal({ partialText: 'I would' })] });

    expect(result).toMatchObject({
      kind: 'review',
      partial: 'The model declined to go on with this change.',
      findings: [{}],
    });
  });

  it('fails as transient when the repository cannot be reached', async () => {
    const { result } = await play({
      script: [],
      fault: (route) => (route.includes(agentRoutes.git) ? { kind: 'reset' } : null),
    });

    expect(result).toMatchObject({
      kind: 'failed',
      class: 'transient',
      code: 'git.unreachable',
      message: 'The repository could not be read.',
    });
  });

  it('hands in nothing when the run is stale, from whichever route it learns that', async () => {
    const stale = JSON.stringify({ error: { class: 'stale', code: 'run.revoked', message: '', retryAfterMs: null } });
    const atProgress = await play({
      script: () => reply.fault(claudeFault.hang()),
      fault: (route) => (route.includes(agentRoutes.progress) ? { kind: 'status', status: 401, body: stale } : null),
    });
    const atModel = await play({
      script: [read],
      fault: (route, count) => (route === messages && count === 2 ? refusal(401, 'stale', 'run.revoked') : null),
    });

    for (const { code, result } of [atProgress, atModel]) {
      expect({ code, result }).toEqual({ code: exitCodes.stale, result: undefined });
    }
  });

  it('ends when it is told to, and hands in nothing', async () => {
    const stop = new AbortController();

    const { code, result } = await play({
      script: () => reply.fault(claudeFault.hang()),
      stop: stop.signal,
      during: async (gateway) => {
        while (!gateway.requests.includes(messages)) await new Promise((resolve) => setTimeout(resolve, 5));
        stop.abort(new StaleError('run.cancelled', 'told to end'));
      },
    });

    expect(code).toBe(exitCodes.stopped);
    expect(result).toBeUndefined();
  });

  it('says by its exit code that nothing could be handed in', async () => {
    const conflict = { error: { class: 'terminal', code: 'run.result_conflict', message: '', retryAfterMs: null } };

    const { code } = await play({
      fault: (route) =>
        route.includes(agentRoutes.result) ? { kind: 'status', status: 422, body: JSON.stringify(conflict) } : null,
    });

    expect(code).toBe(exitCodes.notHandedIn);
  });

  it('sends the same bytes in every attempt, so that what was paid for is answered from the store', async () => {
    const look = reply.blocks([
      toolUse('show_diff', {}),
      toolUse('list_files', {}),
      toolUse('read_file', { path: 'src/sum.js', ref: 'base' }),
      toolUse('search', { pattern: 'sum|b' }),
      toolUse('log', {}),
      toolUse('blame', { path: 'src/sum.js', startLine: 1, endLine: 3 }),
      toolUse('read_file', { path: 'not-there' }),
      toolUse('no_such_tool', {}),
    ]);
    const scene: Scene = {
      head: { ...head, 'b.js': 'b\n', 'yarn.lock': 'b\n' },
      script: [look, read, report, reply.text('I am done.'), finish, finish],
    };
    const later: Clock = {
      nowMs: () => systemClock.nowMs() + 40 * 86_400_000,
      monotonicMs: () => systemClock.monotonicMs() + 1e7,
      sleep: (ms, signal) => systemClock.sleep(ms, signal),
    };
    const attempt = { launch: 7, trigger: 'commanded', token: 'ddrun_another-token-9876543210-jihgfedcba' } as const;

    const first = await play(scene);
    await rm(workDir, { recursive: true, force: true });
    workDir = await mkdtemp(join(tmpdir(), 'drydock-agent-elsewhere-'));
    const second = await play({ ...scene, attempt, clock: later });

    expect(first.bodies).toHaveLength(6);
    expect(second.bodies).toEqual(first.bodies);
    expect(second.bodies.join('')).not.toMatch(/ddrun_|commanded|drydock-agent|127\.0\.0\.1/);
  });
});
