import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, RunGrant, TaskContext, type RunRequest } from '@drydock/core';
import {
  ManualClock,
  reply,
  startFakeClaude,
  startFakeGitLab,
  type FakeClaude,
  type FakeGitLab,
} from '@drydock/testkit';
import { TestGateway, refsOf, runRequest, type Reviewable } from './test-gateway.ts';

const unlimited = { runNanoUsd: 1e9, runTokens: 100, dayNanoUsd: 1e9, dayTokens: 100 };

describe('the gateway under policies that the scheduler chose', () => {
  let gitlab: FakeGitLab;
  let claude: FakeClaude;
  let gateway: TestGateway;
  let clock: ManualClock;
  let reviewable: Reviewable;
  beforeEach(async () => {
    clock = new ManualClock();
    gitlab = await startFakeGitLab();
    claude = await startFakeClaude({ apiKey: 'sk-ant-key', script: () => reply.text('Fine.') });
    gateway = await TestGateway.start({ gitlab, claude, clock });
    const project = await gitlab.createProject({
      path: 'acme/shop',
      files: { 'a.ts': '1\n', '.drydock.yaml': 'maxComments: 2\n' },
    });
    await gitlab.push(project, 'feature', { 'a.ts': '2\n' });
    const author = gitlab.bot;
    const { iid } = await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Two', author });
    reviewable = { projectId: project.id, iid, refs: refsOf(gitlab.diffRefs(iid)) };
  });
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await claude.stop();
    await gitlab[Symbol.asyncDispose]();
  });

  async function begin(name: string, review: object, launch = 1): Promise<RunGrant> {
    const policy = { name, review: ReviewPolicy.parse(review) };
    const request: RunRequest = { ...runRequest(reviewable, launch), policy };
    return RunGrant.parse((await gateway.control('POST', '/runs', request)).json);
  }

  it('makes a run as its policy says, narrowed by the repository', async () => {
    const grant = await begin('shop', { model: 'claude-haiku-5-5', maxComments: 5, minSeverity: 'high' });

    if (grant.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(grant)}`);
    const context = TaskContext.parse((await gateway.agent(grant.token, 'GET', '/run/v1/context')).json);
    expect(context.policy).toMatchObject({ model: 'claude-haiku-5-5', maxComments: 2, minSeverity: 'high' });
  });

  it('lets each policy spend its own budget of the day', async () => {
    const budget = { tokensPerDay: 10 };
    const first = await begin('shop', { budget });
    if (first.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(first)}`);
    const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
    const call = { runId: first.runId, id: 'a', nanoUsd: 1, tokens: 10 };
    await gateway.store.reserve({ ...call, day: `${day}:shop` }, unlimited);

    expect(await begin('shop', { budget }, 2)).toMatchObject({ kind: 'over-budget' });
    expect(await begin('docs', { budget }, 3)).toMatchObject({ kind: 'granted' });
    expect((await gateway.store.dayUsage(day)).spentTokens).toBe(0);
  });

  it("charges a run's calls to its policy", async () => {
    const grant = await begin('shop', {});
    if (grant.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(grant)}`);
    const messages = [{ role: 'user', content: 'hello' }];

    const body = { model: 'claude-sonnet-5-5', max_tokens: 100, messages };
    const answer = await gateway.agent(grant.token, 'POST', '/run/v1/anthropic/v1/messages', body);

    expect(answer.status).toBe(200);
    const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
    expect((await gateway.store.dayUsage(`${day}:shop`)).usage.calls).toBe(1);
    expect((await gateway.store.dayUsage(day)).usage.calls).toBe(0);
  });

  it('takes no policy that its own schema refuses', async () => {
    const request = { ...runRequest(reviewable), policy: { name: 'shop', review: { maxComments: 'all' } } };

    expect((await gateway.control('POST', '/runs', request)).status).toBe(400);
  });
});
