import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { runIdOf } from '@drydock/core';
import { aRunRecord } from './runs/run-builders.ts';
import { createRunToken, hashRunToken } from './runs/run-token.ts';
import { TestGateway, controlToken, viewToken } from './test-gateway.ts';

const record = aRunRecord();
const { runId } = record;

describe('a view token', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start({ gitlab: { url: 'http://127.0.0.1:1', token: 'none' } });
    const deadlineAtMs = Date.now() + 3_600_000;
    await gateway.store.start({ ...record, deadlineAtMs }, hashRunToken(createRunToken(randomBytes)));
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it('reads a run, its progress and its report', async () => {
    const [run, progress, report] = [
      await gateway.control('GET', `/runs/${runId}`, undefined, viewToken),
      await gateway.control('GET', `/runs/${runId}/progress?after=0`, undefined, viewToken),
      await gateway.control('GET', `/runs/${runId}/report`, undefined, viewToken),
    ];

    expect([run.status, run.json]).toMatchObject([200, { runId, isRevoked: false }]);
    expect([progress.status, progress.json]).toEqual([200, { v: 1, entries: [] }]);
    expect(report.json).toMatchObject({ error: { code: 'run.no_result' } }); // let in, but there is none yet
  });

  const mergeRequest = '/control/v1/merge-requests/gitlab/42/7';
  it.each([
    ['GET', mergeRequest],
    ['PUT', `${mergeRequest}/state`],
    ['GET', '/control/v1/members/gitlab/42/3'],
    ['POST', '/control/v1/runs'],
    ['POST', '/control/v1/runs/over'],
    ['POST', `/control/v1/runs/${runId}/revoke`],
    ['POST', `/control/v1/runs/${runId}/publish`],
    ['GET', '/run/v1/context'],
    ['POST', '/run/v1/progress'],
    ['PUT', '/run/v1/result'],
    ['POST', '/run/v1/anthropic/v1/messages'],
    ['GET', '/run/v1/git/info/refs?service=git-upload-pack'],
    ['POST', '/run/v1/git/git-upload-pack'],
  ])('does nothing else: %s %s', async (method, path) => {
    const body = method === 'GET' ? undefined : {};

    const { status } = await gateway.ask(method, path, { authorization: `Bearer ${viewToken}` }, body);

    expect(status).toBe(401);
  });

  it('reads the metrics, and revoked nothing', async () => {
    const metrics = await gateway.ask('GET', '/metrics', { authorization: `Bearer ${viewToken}` });

    expect(metrics.status).toBe(200);
    expect(metrics.text).toContain('# TYPE drydock_');
    expect((await gateway.control('GET', `/runs/${runId}`, undefined, controlToken)).json).toMatchObject({
      isRevoked: false,
    });
  });

  it('is no use in part, longer, or with another word before it', async () => {
    for (const authorization of [
      `Bearer ${viewToken.slice(0, -1)}`,
      `Bearer ${viewToken}x`,
      `Basic ${viewToken}`,
      viewToken,
      'Bearer ',
    ]) {
      const path = `/control/v1/runs/${runIdOf('review:gitlab:42:7', 1)}`;
      expect((await gateway.ask('GET', path, { authorization })).status).toBe(401);
    }
  });
});
