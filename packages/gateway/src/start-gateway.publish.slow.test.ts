import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewReport, WireError, type ReviewResult } from '@drydock/core';
import { startFakeGitLab, type FakeGitLab, type GitLabProject } from '@drydock/testkit';
import { TestGateway, refsOf, runIdFor, type Answer, type Reviewable } from './test-gateway.ts';

const before =
  'export function total(prices) {\n  let sum = 0;\n  for (const price of prices) sum += price;\n  return sum;\n}\n';
const after = before.replace('  return sum;', '  console.log(sum);\n  return sum;');

describe('publishing through the gateway', () => {
  let gitlab: FakeGitLab;
  let gateway: TestGateway;
  let project: GitLabProject;

  beforeEach(async () => {
    gitlab = await startFakeGitLab();
    gateway = await TestGateway.start({ gitlab });
    project = await gitlab.createProject({ path: 'acme/shop', files: { 'src/total.js': before } });
  });
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await gitlab[Symbol.asyncDispose]();
  });

  async function anOpenMergeRequest(): Promise<Reviewable> {
    await gitlab.push(project, 'feature', { 'src/total.js': after });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Log the sum', author: gitlab.bot });
    return { projectId: project.id, iid: 1, refs: refsOf(gitlab.diffRefs(1)) };
  }
  const wireOf = (answer: Answer) => WireError.parse(answer.json).error;
  const path = () => `/merge-requests/gitlab/${String(project.id)}/1`;
  const aResult = (of: Reviewable, changes: Partial<ReviewResult> = {}) => ({
    v: 1,
    result: {
      kind: 'review',
      headSha: of.refs.headSha,
      partial: null,
      summary: 'It logs.',
      findings: [
        {
          path: 'src/total.js',
          side: 'new',
          startLine: 4,
          endLine: 4,
          severity: 'medium',
          category: 'correctness',
          confidence: 0.9,
          title: 'Debug output',
          reason: 'The sum is printed on every call.',
          quotedCode: '  console.log(sum);',
          suggestion: '',
          source: { kind: 'rule', rule: 'debug-output' },
        },
      ],
      changedFiles: 1,
      notRead: [],
      turns: 1,
      stagesMs: {},
      ...changes,
    },
  });

  async function aReviewedRun(): Promise<Reviewable> {
    const reviewable = await anOpenMergeRequest();
    const { token } = await gateway.startRun(reviewable);
    expect((await gateway.agent(token, 'PUT', '/run/v1/result', aResult(reviewable))).status).toBe(200);
    return reviewable;
  }
  const publish = (of: Reviewable, launch = 1) => gateway.control('POST', `/runs/${runIdFor(of, launch)}/publish`);

  it('posts the findings once, however often and by however many it is asked', async () => {
    const reviewable = await aReviewedRun();
    await gateway.control('POST', `/runs/${runIdFor(reviewable)}/revoke`); // the agent has ended

    const answers = await Promise.all([publish(reviewable), publish(reviewable), publish(reviewable)]);
    const [first, , third] = answers;

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(first.json).toMatchObject({
      state: 'done',
      verdict: 'comment',
      comments: [{ path: 'src/total.js', startLine: 4, placement: 'inline', isNew: true }],
    });
    expect(third.json).toEqual(first.json);
    expect(gitlab.discussions(1)).toHaveLength(1);
    expect((await gateway.control('GET', `/runs/${runIdFor(reviewable)}`)).json).toMatchObject({ isPublished: true });
    expect((await gateway.control('GET', path())).json).toMatchObject({ reviewed: { state: 'done' } });
  });

  it('drops what the code does not confirm', async () => {
    const reviewable = await anOpenMergeRequest();
    const { token } = await gateway.startRun(reviewable);
    const claims = aResult(reviewable);
    const [finding] = claims.result.findings;
    await gateway.agent(
      token,
      'PUT',
      '/run/v1/result',
      aResult(reviewable, { findings: [{ ...finding, quotedCode: 'rm -rf /' }] as ReviewResult['findings'] }),
    );

    expect((await publish(reviewable)).json).toMatchObject({ comments: [], heldBack: { 'not-confirmed': 1 } });
    expect(gitlab.discussions(1)).toEqual([]);
  });

  it('tells the review as data and writes nothing, however often it is asked', async () => {
    const reviewable = await aReviewedRun();
    const report = async () =>
      ReviewReport.parse((await gateway.control('GET', `/runs/${runIdFor(reviewable, 1)}/report`)).json);

    const before = await report();
    const again = await report();
    const notesBefore = gitlab.notes(1).length;
    await publish(reviewable);
    const after = await report();

    expect(before).toMatchObject({
      change: { kind: 'merge-request', title: 'Log the sum', targetBranch: 'main', diffRefs: reviewable.refs },
      partial: null,
      verdict: 'comment',
      failOn: null,
      overview: 'It logs.',
      findings: [
        {
          path: 'src/total.js',
          startLine: 4,
          severity: 'medium',
          suggestion: [],
          rule: 'debug-output',
          placement: 'inline',
          isNew: true,
          code: {
            startLine: 1,
            lines: [
              'export function total(prices) {',
              '  let sum = 0;',
              '  for (const price of prices) sum += price;',
              '  console.log(sum);',
              '  return sum;',
              '}',
            ],
          },
        },
      ],
    });
    expect(again).toEqual(before);
    expect(notesBefore).toBe(0);
    expect(after.findings).toMatchObject([{ identity: before.findings[0]?.identity, isNew: false }]);
  });

  it('tells no secret that stands in the code, the words or the replacement', async () => {
    const secret = ['sk', 'ant', 'api03', 'Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA'].join('-');
    await gitlab.push(project, 'feature', { 'src/total.js': after.replace('console.log(sum)', `log("${secret}")`) });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Log', author: gitlab.bot });
    const reviewable = { projectId: project.id, iid: 1, refs: refsOf(gitlab.diffRefs(1)) };
    const { token } = await gateway.startRun(reviewable);
    const [finding] = aResult(reviewable).result.findings;
    const leaky = { title: `Key ${secret}`, reason: `It is ${secret}.`, suggestion: `  log(${secret});` };
    const findings = [{ ...finding, ...leaky, quotedCode: `  log("${secret}");` }] as ReviewResult['findings'];
    await gateway.agent(token, 'PUT', '/run/v1/result', aResult(reviewable, { findings, summary: 'Read\u202eme' }));

    const answer = await gateway.control('GET', `/runs/${runIdFor(reviewable, 1)}/report`);

    const { overview, findings: told } = ReviewReport.parse(answer.json);
    expect(overview).toBe('Read‹U+202E›me');
    expect(told).toMatchObject([
      { title: 'Key (Anthropic key redacted)', reason: 'It is (Anthropic key redacted).', suggestion: null },
    ]);
    expect(JSON.stringify(answer.json)).not.toContain(secret);
  });

  it('is refused without a result, and for a failed run', async () => {
    const reviewable = await anOpenMergeRequest();
    const { token } = await gateway.startRun(reviewable);
    expect(wireOf(await publish(reviewable))).toMatchObject({ class: 'terminal', code: 'run.no_result' });

    const failed = {
      v: 1,
      result: { kind: 'failed', class: 'transient', code: 'model.overloaded', message: 'busy', retryAfterMs: null },
    };
    await gateway.agent(token, 'PUT', '/run/v1/result', failed);
    expect(wireOf(await publish(reviewable))).toMatchObject({ code: 'run.no_result' });
    expect(wireOf(await publish(reviewable, 9))).toMatchObject({ code: 'run.unknown' });
  });

  it('writes nothing for an older launch or an older head', async () => {
    const reviewable = await aReviewedRun();
    await gateway.startRun(reviewable, 2);
    expect(wireOf(await publish(reviewable))).toMatchObject({ class: 'stale', code: 'run.launch_superseded' });

    const { token } = await gateway.startRun(reviewable, 3);
    await gateway.agent(token, 'PUT', '/run/v1/result', aResult(reviewable));
    await gitlab.push(project, 'feature', { 'src/total.js': `${after}\n` });
    expect(wireOf(await publish(reviewable, 3))).toMatchObject({ class: 'stale', code: 'merge_request.head_moved' });
    expect(gitlab.notes(1)).toEqual([]);
  });
});
