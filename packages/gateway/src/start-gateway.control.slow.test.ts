import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MergeRequest, ReviewPolicy, RunGrant, WireError } from '@drydock/core';
import {
  ManualClock,
  reply,
  startFakeClaude,
  startFakeGitLab,
  type FakeClaude,
  type FakeGitLab,
  type GitLabFileChanges,
  type GitLabProject,
} from '@drydock/testkit';
import {
  TestGateway,
  controlToken,
  refsOf,
  runIdFor,
  runRequest,
  type Answer,
  type Reviewable,
} from './test-gateway.ts';

const before =
  'export function total(prices) {\n  let sum = 0;\n  for (const price of prices) sum += price;\n  return sum;\n}\n';
const after = before.replace('  return sum;', '  console.log(sum);\n  return sum;');

describe('the control side of the gateway', () => {
  let gitlab: FakeGitLab;
  let claude: FakeClaude;
  let gateway: TestGateway;
  let clock: ManualClock;
  let project: GitLabProject;

  beforeEach(async () => {
    clock = new ManualClock();
    gitlab = await startFakeGitLab();
    claude = await startFakeClaude({ apiKey: 'sk-ant-key', script: () => reply.text('Fine.') });
    gateway = await TestGateway.start({ gitlab, claude, clock });
    project = await gitlab.createProject({
      path: 'acme/shop',
      files: { 'src/total.js': before, 'README.md': 'Shop\n' },
    });
  });

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await claude.stop();
    await gitlab[Symbol.asyncDispose]();
  });

  interface Opening {
    readonly target?: GitLabFileChanges;
    readonly change?: GitLabFileChanges;
    readonly draft?: boolean;
    readonly labels?: readonly string[];
  }

  async function anOpenMergeRequest({ target, change, draft = false, labels = [] }: Opening = {}): Promise<Reviewable> {
    if (target !== undefined) await gitlab.push(project, 'main', target);
    await gitlab.push(project, 'feature', change ?? { 'src/total.js': after });
    const opened = await gitlab.openMergeRequest({
      project,
      sourceBranch: 'feature',
      title: 'Log the sum',
      author: gitlab.bot,
      draft,
      labels,
    });
    return current(opened.iid);
  }
  const current = (iid: number): Reviewable => ({ projectId: project.id, iid, refs: refsOf(gitlab.diffRefs(iid)) });
  const wireOf = (answer: Answer) => WireError.parse(answer.json).error;
  const path = (iid = 1) => `/merge-requests/gitlab/${String(project.id)}/${String(iid)}`;
  describe('a control token', () => {
    it.each([
      ['none', ''],
      ['a wrong one', 'wrong'],
      ['a part of it', controlToken.slice(0, -1)],
      ['more than it', `${controlToken}x`],
      ['both at once', `an-older-control-token,${controlToken}`],
    ])('that is %s opens nothing', async (_, token) => {
      for (const [method, where] of [
        ['GET', path()],
        ['PUT', `${path()}/state`],
        ['GET', '/members/gitlab/1/1'],
        ['POST', '/runs'],
        ['POST', '/runs/over'],
        ['GET', '/runs/0123456789abcdef-1'],
        ['GET', '/runs/0123456789abcdef-1/progress'],
        ['POST', '/runs/0123456789abcdef-1/revoke'],
        ['POST', '/runs/0123456789abcdef-1/publish'],
      ] as const) {
        const answer = await gateway.control(method, where, method === 'GET' ? undefined : {}, token);
        expect([where, answer.status]).toEqual([where, 401]);
      }
      expect(gitlab.requests).toEqual([]);
    });

    it('may be an older one, so that it can be changed', async () => {
      await anOpenMergeRequest();

      expect((await gateway.control('GET', path(), undefined, 'an-older-control-token')).status).toBe(200);
    });
  });

  it('tells what is true of a merge request', async () => {
    const reviewable = await anOpenMergeRequest({ labels: ['big'] });

    const answer = await gateway.control('GET', path());

    expect(MergeRequest.parse(answer.json)).toMatchObject({
      projectPath: 'acme/shop',
      state: 'opened',
      labels: ['big'],
      headSha: reviewable.refs.headSha,
      diffRefs: reviewable.refs,
      reviewed: null,
    });
  });

  it('tells the role of a member, and of itself', async () => {
    const dana = gitlab.createUser({ username: 'dana' });
    gitlab.setRole(project, dana, 'developer');
    const stranger = gitlab.createUser({ username: 'stranger' });
    const roleOf = async (id: number) =>
      (await gateway.control('GET', `/members/gitlab/${String(project.id)}/${String(id)}`)).json;

    expect(await roleOf(dana.id)).toEqual({ v: 1, role: 'developer', isSelf: false, isBot: false });
    expect(await roleOf(stranger.id)).toMatchObject({ role: 'none', isSelf: false });
    expect(await roleOf(gitlab.bot.id)).toMatchObject({ isSelf: true });
  });

  it('writes a state once', async () => {
    const { refs } = await anOpenMergeRequest();
    const put = (createNote: boolean) =>
      gateway.control('PUT', `${path()}/state`, {
        v: 1,
        state: { kind: 'reviewing', headSha: refs.headSha, attempt: 1 },
        createNote,
      });

    expect((await put(false)).json).toEqual({ v: 1, kind: 'absent' });
    expect((await put(true)).json).toEqual({ v: 1, kind: 'written' });
    expect((await put(true)).json).toEqual({ v: 1, kind: 'unchanged' });
    expect(gitlab.notes(1)).toHaveLength(1);
    expect((await gateway.control('GET', path())).json).toMatchObject({
      reviewed: { state: 'reviewing', headSha: refs.headSha },
    });
  });

  it.each([
    '/merge-requests/github/1/1',
    '/merge-requests/gitlab/0/1',
    '/merge-requests/gitlab/1/x',
    '/merge-requests/gitlab/x/1',
    '/members/gitlab/1/me',
    '/runs/nothing',
    '/runs/0123456789abcdef-0',
  ])('knows nothing at %s', async (where) => {
    expect((await gateway.control('GET', where)).status).toBe(404);
  });

  describe('a run', () => {
    const grantOf = async (reviewable: Reviewable, trigger: Parameters<TestGateway['requestRun']>[2] = 'opened') =>
      RunGrant.parse((await gateway.requestRun(reviewable, 1, trigger)).json);

    it('is granted with a token of its own', async () => {
      const reviewable = await anOpenMergeRequest();

      const grant = await grantOf(reviewable);

      expect(grant).toEqual({
        kind: 'granted',
        runId: runIdFor(reviewable),
        token: expect.stringMatching(/^ddrun_[\w-]{43}$/),
        deadlineSeconds: 900,
      });
    });

    it('is granted without a token to a pod that will exchange its identity, if there are pods', async () => {
      const reviewable = await anOpenMergeRequest();
      const refused = await gateway.requestPodRun(reviewable);
      const reviewer = { reviewToken: () => Promise.reject(new Error('unused')), readPod: async () => null };
      const identities = { reviewer, namespace: 'tasks', serviceAccount: 'agent', audience: 'gateway' };
      await using withPods = await TestGateway.start({ gitlab, identities });

      const first = RunGrant.parse((await withPods.requestPodRun(reviewable)).json);
      const again = RunGrant.parse((await withPods.requestPodRun(reviewable)).json);

      expect([refused.status, wireOf(refused)]).toMatchObject([424, { class: 'blocked', code: 'gateway.no_exchange' }]);
      expect(first).toEqual({ kind: 'to-exchange', runId: runIdFor(reviewable), deadlineSeconds: 900 });
      const waiting = (await withPods.store.get(runIdFor(reviewable)))?.record;
      const untilMs = (waiting?.startedAtMs ?? NaN) + (700 + 120) * 1000; // of the wait for its pod, not of the run
      expect(waiting).toMatchObject({ startSeconds: 700, deadlineAtMs: untilMs });
      expect(again).toEqual(first);
      const pod = { podUid: 'uid', tokenHash: 'hash' };
      expect(await withPods.store.exchange(runIdFor(reviewable), pod, Date.now())).toEqual({ kind: 'exchanged' });
    });

    it('is narrowed by the wishes of the target branch, and by those of no other', async () => {
      const reviewable = await anOpenMergeRequest({
        target: { '.drydock.yaml': 'minSeverity: high\nmaxUsdPerRun: 0.5\n' },
        change: { 'src/total.js': after, '.drydock.yaml': 'enabled: false\n' },
      });

      await gateway.startRun(reviewable);

      const run = await gateway.store.get(runIdFor(reviewable));
      expect(run?.record.context.policy).toMatchObject({
        enabled: true,
        minSeverity: 'high',
        budget: { usdPerRun: 0.5 },
      });
    });

    it('is skipped when the repository switched reviews off', async () => {
      const reviewable = await anOpenMergeRequest({ target: { '.drydock.yaml': 'enabled: false\n' } });

      expect(await grantOf(reviewable, 'commanded')).toMatchObject({ kind: 'skip', why: 'switched-off-by-repository' });
    });

    it('is skipped when the wishes cannot be read, and says where', async () => {
      const reviewable = await anOpenMergeRequest({ target: { '.drydock.yaml': 'enabled: true\nminSeverty: high\n' } });

      expect(await grantOf(reviewable)).toEqual({
        kind: 'skip',
        why: 'bad-repository-config',
        detail: '.drydock.yaml:2:1 minSeverty: unknown key (did you mean minSeverity?)',
      });
    });

    it.each([
      ['a draft', { target: { '.drydock.yaml': 'drafts: skip\n' }, draft: true }, 'draft'],
      ['an unwanted label', { target: { '.drydock.yaml': 'skipLabels: [wip]\n' }, labels: ['wip'] }, 'label'],
    ])('is skipped for %s, unless a person asks', async (_, opening, why) => {
      await gateway[Symbol.asyncDispose]();
      gateway = await TestGateway.start({ gitlab, claude, clock, policy: ReviewPolicy.parse({ drafts: 'review' }) });
      const reviewable = await anOpenMergeRequest(opening);

      expect(await grantOf(reviewable)).toMatchObject({ kind: 'skip', why });
      expect(await grantOf(reviewable, 'commanded')).toMatchObject({ kind: 'granted' });
    });

    it('is skipped when everything is ignored', async () => {
      const reviewable = await anOpenMergeRequest({ target: { '.drydock.yaml': 'ignorePaths: ["src/**"]\n' } });

      expect(await grantOf(reviewable)).toMatchObject({
        kind: 'skip',
        why: 'nothing-to-review',
        detail: 'every changed file is ignored',
      });
    });

    it('is not kept busy by globs that are made to be slow', async () => {
      const slow = Array.from({ length: 200 }, (_, index) => `  - "${'*a'.repeat(240)}${String(index)}"`);
      const name = `${'a'.repeat(200)}/`.repeat(15) + 'a';
      const reviewable = await anOpenMergeRequest({
        target: { '.drydock.yaml': `ignorePaths:\n${slow.join('\n')}\n` },
        change: { [name]: 'x\n' },
      });
      const before = process.cpuUsage();

      await gateway.requestRun(reviewable);

      // Of the processor, which a busy machine does not lengthen.
      expect(process.cpuUsage(before).user / 1000).toBeLessThan(10_000);
    });

    it('is skipped when nothing changes', async () => {
      await gitlab.push(project, 'feature', { 'a.txt': 'a\n' });
      await gitlab.push(project, 'feature', { 'a.txt': null });
      await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Nothing', author: gitlab.bot });

      expect(await grantOf(current(1))).toMatchObject({
        kind: 'skip',
        why: 'nothing-to-review',
        detail: 'it changes no file',
      });
    });

    it('is stale for another head than the newest, for a closed merge request, and for an older launch', async () => {
      const old = await anOpenMergeRequest();
      await gitlab.push(project, 'feature', { 'src/total.js': `${after}\n` });
      const moved = await gateway.requestRun(old);
      expect([moved.status, wireOf(moved)]).toMatchObject([410, { class: 'stale', code: 'merge_request.head_moved' }]);

      await gateway.startRun(current(1), 3);
      expect(wireOf(await gateway.requestRun(current(1), 2))).toMatchObject({
        class: 'stale',
        code: 'run.launch_superseded',
      });

      await gateway.control('POST', `/runs/${runIdFor(current(1), 3)}/revoke`);
      expect(wireOf(await gateway.requestRun(current(1), 3))).toMatchObject({ class: 'stale', code: 'run.revoked' });

      await gitlab.updateMergeRequest(1, { state: 'closed' });
      expect(wireOf(await gateway.requestRun(current(1), 4))).toMatchObject({
        class: 'stale',
        code: 'merge_request.closed',
      });
    });

    it('is told together with others whether it is over', async () => {
      await anOpenMergeRequest();
      await gateway.startRun(current(1), 1);
      const runId = runIdFor(current(1), 1);
      const unknown = '0123456789abcdef-1';
      const over = async () => (await gateway.control('POST', '/runs/over', { v: 1, runIds: [runId, unknown] })).json;
      expect(await over()).toEqual({ v: 1, over: [] });

      await gateway.control('POST', `/runs/${runId}/revoke`);

      expect(await over()).toEqual({ v: 1, over: [{ runId, why: 'revoked' }] });
      const tooMany = Array.from({ length: 201 }, () => runId);
      expect((await gateway.control('POST', '/runs/over', { v: 1, runIds: tooMany })).status).toBe(400);
    });

    it('is over budget when the day has spent its budget, and granted again the next day', async () => {
      await gateway[Symbol.asyncDispose]();
      gateway = await TestGateway.start({
        gitlab,
        claude,
        clock,
        policy: ReviewPolicy.parse({ budget: { tokensPerDay: 10 } }),
      });
      const reviewable = await anOpenMergeRequest();
      const { runId } = await gateway.startRun(reviewable);
      const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
      const reservation = { runId, id: 'a', day, nanoUsd: 1, tokens: 10 };
      await gateway.store.reserve(reservation, { runNanoUsd: 1, runTokens: 10, dayNanoUsd: 1, dayTokens: 10 });

      expect(await grantOf(reviewable)).toMatchObject({
        kind: 'over-budget',
        why: expect.stringContaining('midnight UTC'),
      });

      await clock.advance(24 * 3_600_000);
      expect(await grantOf(reviewable)).toMatchObject({ kind: 'granted' });
    });

    it('passes on that the forge refuses the credential, and stays whole when asked again', async () => {
      const reviewable = await anOpenMergeRequest();
      gitlab.endToken(gitlab.token);

      const refused = await gateway.requestRun(reviewable);

      expect([refused.status, wireOf(refused)]).toMatchObject([424, { class: 'blocked', code: 'forge.unauthorized' }]);
      expect(refused.text).not.toContain(gitlab.token);
    });

    it('is refused in any other shape', async () => {
      const reviewable = await anOpenMergeRequest();
      const request = runRequest(reviewable);

      for (const body of [
        {},
        { ...request, v: 2 },
        { ...request, launch: 0 },
        { ...request, extra: 1 },
        [request],
        null,
      ]) {
        expect((await gateway.control('POST', '/runs', body)).status).toBe(400);
      }
    });

    it('is unknown before it began', async () => {
      const answer = await gateway.control('GET', '/runs/0123456789abcdef-1');

      expect([answer.status, wireOf(answer)]).toMatchObject([422, { class: 'terminal', code: 'run.unknown' }]);
    });
  });

  it('counts by route and decision, for the scheduler alone', async () => {
    const reviewable = await anOpenMergeRequest();
    const { token } = await gateway.startRun(reviewable);
    await gateway.agent(token, 'POST', '/run/v1/anthropic/v1/messages', {
      model: 'claude-sonnet-5-5',
      max_tokens: 9,
      messages: [{ role: 'user', content: 'x' }],
    });
    await gateway.agent('wrong', 'GET', '/run/v1/context');
    await gateway.agent(token, 'GET', '/nothing');

    const { text } = await gateway.ask('GET', '/metrics', { authorization: `Bearer ${controlToken}` });

    expect(text).toContain('drydock_gateway_requests_total{route="start_run",decision="allowed"} 1');
    expect(text).toContain('drydock_gateway_requests_total{route="context",decision="unauthorized"} 1');
    expect(text).toContain('drydock_gateway_requests_total{route="other",decision="not_found"} 1');
    expect(text).toContain('drydock_gateway_runs_total{outcome="granted"} 1');
    expect(text).toMatch(/drydock_llm_tokens_total\{model="claude-sonnet-5-5",kind="output"\} [1-9]/);
    expect(text).not.toContain('acme');
    expect((await gateway.ask('GET', '/metrics', {})).status).toBe(404);
  });

  it('says that it lives and is ready', async () => {
    expect((await gateway.ask('GET', '/healthz', {})).json).toEqual({ status: 'ok' });
    expect((await gateway.ask('GET', '/readyz', {})).json).toEqual({ status: 'ok' });
  });
});
