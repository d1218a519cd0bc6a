import { request as httpsRequest } from 'node:https';
import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from './a-merge-request.ts';
import { apiOf } from './api-client.ts';
import type { GitLabFault } from './fault-list.ts';
import { startFakeGitLab } from './start-fake-gitlab.ts';

async function strike(fault: GitLabFault) {
  const gitlab = await startFakeGitLab();
  const { path } = await aMergeRequestOn(gitlab);
  gitlab.faults.add({ match: { method: 'POST', path: /\/notes$/ }, ...fault });
  const write = () => apiOf(gitlab)('POST', `${path}/notes`, { body: 'x' });
  return { gitlab, path, write };
}

const saved = (gitlab: { notes(iid: number): readonly unknown[] }) => gitlab.notes(1).length;

describe('faults', () => {
  it('fail before, once', async () => {
    const { gitlab, write } = await strike({ mode: 'fail-before', status: 503 });
    await using _ = gitlab;

    expect((await write()).status).toBe(503);
    expect(saved(gitlab)).toBe(0);
    expect((await write()).status).toBe(201);
    expect(gitlab.requests.map((entry) => [entry.method, entry.status, entry.fault])).toEqual([
      ['POST', 503, 'fail-before'],
      ['POST', 201, null],
    ]);
  });

  it('do it and then fail', async () => {
    const { gitlab, write } = await strike({ mode: 'execute-then-fail' });
    await using _ = gitlab;

    expect((await write()).status).toBe(500);
    expect(saved(gitlab)).toBe(1);
  });

  it('do it and break the connection', async () => {
    const { gitlab, write } = await strike({ mode: 'execute-then-fail', status: null });
    await using _ = gitlab;

    await expect(write()).rejects.toThrow();
    expect(saved(gitlab)).toBe(1);
  });

  it('cut the answer in its middle', async () => {
    const { gitlab, write } = await strike({ mode: 'cut-body' });
    await using _ = gitlab;

    await expect(write()).rejects.toThrow();
    expect(saved(gitlab)).toBe(1);
  });

  it('hang until the client gives up', async () => {
    const { gitlab, path } = await strike({ mode: 'hang' });
    await using _ = gitlab;
    const headers = { 'PRIVATE-TOKEN': gitlab.token };
    const signal = AbortSignal.timeout(50);

    await expect(fetch(`${gitlab.url}/api/v4${path}/notes`, { method: 'POST', headers, signal })).rejects.toThrow(
      /abort|timeout/i,
    );
    expect(saved(gitlab)).toBe(0);
  });

  it('redirect to another host', async () => {
    const { gitlab, path } = await strike({ mode: 'redirect', location: 'http://127.0.0.2/evil', status: 307 });
    await using _ = gitlab;

    const response = await fetch(`${gitlab.url}/api/v4${path}/notes`, { method: 'POST', redirect: 'manual' });

    expect([response.status, response.headers.get('location')]).toEqual([307, 'http://127.0.0.2/evil']);
  });

  it('limit the rate with and without a time to wait', async () => {
    const { gitlab, write } = await strike({ mode: 'rate-limit', retryAfterSeconds: 7 });
    await using _ = gitlab;
    gitlab.faults.add({ mode: 'rate-limit' });

    const [told, untold] = [await write(), await write()];

    expect([told.status, told.headers.get('retry-after')]).toEqual([429, '7']);
    expect([untold.status, untold.headers.get('retry-after')]).toEqual([429, null]);
  });

  it('answer with a page of a proxy, with too much, and late', async () => {
    const { gitlab, write, path } = await strike({ mode: 'html' });
    await using _ = gitlab;
    gitlab.faults.add({ match: { method: 'GET' }, mode: 'huge-body', bytes: 1_000_000 });
    gitlab.faults.add({ match: { method: 'PUT' }, mode: 'slow', afterMs: 1 });

    expect(await write()).toMatchObject({ status: 502, body: expect.stringContaining('nginx') });
    expect(JSON.stringify((await apiOf(gitlab)('GET', path)).body).length).toBeGreaterThan(1_000_000);
    expect((await apiOf(gitlab)('PUT', `${path}/notes/1`, { body: 'x' })).status).toBe(404);
  });

  it('strike the nth of their kind, as often as told', async () => {
    const { gitlab, write } = await strike({ match: { method: 'POST', nth: 2 }, mode: 'fail-before', times: 2 });
    await using _ = gitlab;

    const statuses = [await write(), await write(), await write(), await write()].map((answer) => answer.status);

    expect(statuses).toEqual([201, 500, 500, 201]);
  });
});

describe('strictness', () => {
  it.each([
    ['a body over the limit', 413, { body: JSON.stringify({ body: 'x'.repeat(3000) }), type: 'application/json' }],
    ['a body that is no JSON', 400, { body: '{', type: 'application/json' }],
    ['a body that is no object', 400, { body: '[]', type: 'application/json' }],
    ['a body of another type', 415, { body: 'x', type: 'text/plain' }],
    ['a form without its boundary', 400, { body: 'x', type: 'multipart/form-data' }],
    ['a missing parameter', 400, { body: '{}', type: 'application/json' }],
    ['an unknown parameter', 400, { body: '{"body":"x","colour":1}', type: 'application/json' }],
    ['a polluting parameter', 400, { body: 'body=x&a[__proto__][b]=1', type: 'application/x-www-form-urlencoded' }],
  ])('answers and notes %s', async (_, status, { body, type }) => {
    await using gitlab = await startFakeGitLab({ allowViolations: true, maxBodyBytes: 2000 });
    const { path } = await aMergeRequestOn(gitlab);
    const headers = { 'PRIVATE-TOKEN': gitlab.token, 'Content-Type': type };

    const response = await fetch(`${gitlab.url}/api/v4${path}/notes`, { method: 'POST', body, headers });

    expect(response.status).toBe(status);
    expect(gitlab.notes(1)).toEqual([]);
    expect(gitlab.violations.length).toBe(status === 400 && body.includes('__proto__') ? 0 : 1);
  });

  it('keeps secrets out of its log', async () => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });

    await fetch(`${gitlab.url}/api/v4/user?private_token=glpat-secret`);

    expect(JSON.stringify(gitlab.requests)).not.toContain('glpat-secret');
    expect(gitlab.violations[0]?.what).toBe('a secret in the address');
  });
});

describe('TLS', () => {
  const get = (url: string, ca?: string) =>
    new Promise<number>((resolve, reject) => {
      const call = httpsRequest(`${url}/api/v4/version`, ca === undefined ? {} : { ca }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      call.on('error', reject);
      call.end();
    });

  it('is trusted by whoever has its authority, and by nobody else', async () => {
    await using gitlab = await startFakeGitLab({ tls: true });

    expect(await get(gitlab.url, gitlab.caPem ?? '')).toBe(401);
    await expect(get(gitlab.url)).rejects.toThrow(/self-signed certificate/);
  });
});
