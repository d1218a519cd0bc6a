import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HookReport, OpenMergeRequestPage, ProjectPage, WireError } from '@drydock/core';
import { startFakeGitLab, type FakeGitLab, type GitLabProject } from '@drydock/testkit';
import { TestGateway } from './test-gateway.ts';

describe('what the sweep asks of the gateway', () => {
  let gitlab: FakeGitLab;
  let gateway: TestGateway;
  let project: GitLabProject;

  beforeEach(async () => {
    gitlab = await startFakeGitLab();
    gateway = await TestGateway.start({ gitlab });
    project = await gitlab.createProject({ path: 'acme/shop', files: { 'a.txt': 'a\n' } });
    await gitlab.push(project, 'b', { 'a.txt': 'b\n' }, { from: 'main' });
    await gitlab.openMergeRequest({ project, sourceBranch: 'b', title: 'A change', author: gitlab.bot });
  });
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await gitlab[Symbol.asyncDispose]();
  });

  const get = (path: string, token?: string) => gateway.control('GET', path, undefined, token);

  it('is answered: which projects there are, what is open, how webhooks fare', async () => {
    const projects = ProjectPage.parse((await get('/projects/gitlab')).json);
    const open = OpenMergeRequestPage.parse((await get('/open-merge-requests/gitlab?updatedAfterMs=0')).json);
    const ofProject = await get(`/open-merge-requests/gitlab?projectId=${String(project.id)}&cursor=0.2`);
    const hooks = HookReport.parse((await get(`/hooks/gitlab/${String(project.id)}`)).json);

    const projectId = String(project.id);
    expect(projects).toEqual({
      v: 1,
      projects: [{ projectId, projectPath: 'acme/shop' }],
      cursor: null,
      canListAll: true,
    });
    expect(open.mergeRequests).toMatchObject([
      { ref: { forge: 'gitlab', projectId, iid: 1 }, headSha: gitlab.diffRefs(1).head_sha },
    ]);
    expect(OpenMergeRequestPage.parse(ofProject.json)).toEqual({ v: 1, mergeRequests: [], cursor: null });
    expect(hooks).toEqual({ v: 1, kind: 'unseen' });
  });

  it('is for the scheduler alone, and nothing else in its place is taken', async () => {
    const paths = ['/projects/gitlab', '/open-merge-requests/gitlab', `/hooks/gitlab/${String(project.id)}`];
    const strangers = await Promise.all(paths.map((path) => get(path, 'wrong')));
    const odd = ['updatedAfterMs=x', 'updatedAfterMs=-1', 'projectId=0', 'cursor=x', `cursor=${'1'.repeat(201)}.1`];
    const answers = await Promise.all(odd.map((query) => get(`/open-merge-requests/gitlab?${query}`)));

    expect(strangers.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
    expect((await get('/projects/github')).status).toBe(404);
    expect((await get('/hooks/gitlab/0')).status).toBe(404);
  });

  it('passes on how long the forge asks to wait, and counts its answers', async () => {
    gitlab.faults.add({ mode: 'rate-limit', retryAfterSeconds: 90 });

    const answer = await get('/projects/gitlab');

    expect(WireError.parse(answer.json).error).toMatchObject({ code: 'forge.rate_limited', retryAfterMs: 90_000 });
    expect(await gateway.registry.getSingleMetricAsString('drydock_forge_requests_total')).toContain(
      '{forge="gitlab",code="429"} 1',
    );
  });
});
