import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { ManualClock, type GitLabFault } from '@drydock/testkit';
import { connect, signal, start } from './gitlab-forge.contract.ts';

describe('GitLabForge is careful', () => {
  it.each<[string, Partial<GitLabFault>, Record<string, unknown>]>([
    ['a 500', { mode: 'fail-before', status: 500 }, { kind: 'transient', code: 'forge.unavailable' }],
    ['a 409', { mode: 'fail-before', status: 409 }, { kind: 'transient', code: 'forge.conflict' }],
    ['a 403', { mode: 'fail-before', status: 403 }, { kind: 'blocked', code: 'forge.forbidden' }],
    ['a 422', { mode: 'fail-before', status: 422 }, { kind: 'terminal', code: 'forge.rejected' }],
    ['a 404', { mode: 'fail-before', status: 404 }, { kind: 'stale', code: 'merge_request.gone' }],
    [
      'a 429',
      { mode: 'rate-limit', retryAfterSeconds: 12 },
      { kind: 'transient', code: 'forge.rate_limited', retryAfterMs: 12_000 },
    ],
    [
      'a silent 429',
      { mode: 'rate-limit', retryAfterSeconds: null },
      { code: 'forge.rate_limited', retryAfterMs: 60_000 },
    ],
    ['HTML', { mode: 'html', status: 200 }, { kind: 'transient', code: 'forge.bad_answer' }],
    ['a page of HTML with 502', { mode: 'html' }, { kind: 'transient', code: 'forge.unavailable' }],
    ['a huge body', { mode: 'huge-body', bytes: 70 * 1024 * 1024 }, { kind: 'terminal', code: 'forge.bad_answer' }],
    ['a cut body', { mode: 'cut-body' }, { kind: 'transient', code: 'forge.unreachable' }],
    ['a broken connection', { mode: 'fail-before', status: null }, { kind: 'transient', code: 'forge.unreachable' }],
    ['silence', { mode: 'hang' }, { kind: 'transient', code: 'forge.timeout' }],
  ])('%s is an error of its class, after one request', async (_, fault, expected) => {
    await using world = await start();
    await using forge = connect(world.gitlab);
    world.gitlab.faults.add({ mode: 'hang', match: { path: /merge_requests\/1$/ }, times: 9, ...fault });

    const error: unknown = await forge.readHead(world.ref, signal).catch((caught: unknown) => caught);

    expect(error).toMatchObject(expected);
    expect(String(error)).not.toContain(world.gitlab.token);
    expect(world.gitlab.requests.filter(({ path }) => path.endsWith('/merge_requests/1'))).toHaveLength(1);
  });

  it('follows no redirect: the token does not reach another host', async () => {
    const seen: unknown[] = [];
    const thief = createServer((request, response) => {
      seen.push(request.headers);
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(thief, 'listening');
    const location = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/`;
    await using world = await start();
    await using forge = connect(world.gitlab);
    world.gitlab.faults.add({ mode: 'redirect', location, times: 2 });

    const read = forge.readHead(world.ref, signal);
    await expect(read).rejects.toMatchObject({ code: 'forge.redirected' });
    await expect(forge.createNote(world.ref, 'x', signal)).rejects.toMatchObject({ code: 'forge.redirected' });

    expect(seen).toEqual([]);
    thief.close();
  });

  it('says what to do about a token that GitLab refuses', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab, { token: new Secret('glpat-wrong') });

    const error: unknown = await forge.self(signal).catch((caught: unknown) => caught);

    expect(error).toMatchObject({ kind: 'blocked', code: 'forge.unauthorized' });
    expect(String(error)).toContain('Make a new one with the scope "api"');
    expect(String(error)).not.toContain('glpat-wrong');
  });

  it('reported 10: sends nothing while GitLab wants none', async () => {
    const clock = new ManualClock();
    await using world = await start();
    await using forge = connect(world.gitlab, { clock });
    world.gitlab.faults.add({ mode: 'rate-limit', retryAfterSeconds: 30 });
    await expect(forge.readHead(world.ref, signal)).rejects.toMatchObject({ retryAfterMs: 30_000 });
    const sent = world.gitlab.requests.length;

    await clock.advance(10_000);
    await expect(forge.readHead(world.ref, signal)).rejects.toMatchObject({ retryAfterMs: 20_000 });
    expect(world.gitlab.requests).toHaveLength(sent);
    await clock.advance(20_000);

    expect(await forge.readHead(world.ref, signal)).toMatchObject({ state: 'opened' });
  });

  it('reads a list to its end and no further, whatever its links say', async () => {
    const server = createServer((request, response) => {
      const { host = '' } = request.headers;
      response.setHeader('content-type', 'application/json');
      if (request.url === '/api/v4/user') response.end('{"id":1,"username":"bot"}');
      else response.setHeader('link', `<http://elsewhere.invalid/x?page=2&secret=${host}>; rel="next"`).end('[]');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using forge = connect({ url, token: 't', caPem: null });

    const listing = forge.listOwnThreads({ forge: 'gitlab', projectId: '1', iid: 1 }, signal);

    await expect(listing).rejects.toMatchObject({ kind: 'terminal', code: 'forge.bad_answer' });
    server.close();
    server.closeAllConnections();
  });

  it.each([
    ['no object', '[]'],
    ['other types', '{"title":1,"iid":"x"}'],
    ['a prototype', '{"__proto__":{"title":"x"}}'],
    ['half of it', '{"title":"x"'],
  ])('takes an answer that is %s for none', async (_, body) => {
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json').end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using forge = connect({ url, token: 't', caPem: null });

    const reading = forge.readHead({ forge: 'gitlab', projectId: '1', iid: 1 }, signal);

    await expect(reading).rejects.toMatchObject({ kind: 'transient', code: 'forge.bad_answer' });
    server.close();
  });

  it('speaks TLS to a GitLab whose authority it was given', async () => {
    await using world = await start({ tls: true });
    await using trusting = connect(world.gitlab);
    await using refusing = connect({ url: world.gitlab.url, token: world.gitlab.token, caPem: null });

    expect(await trusting.self(signal)).toMatchObject({ username: 'drydock-bot' });
    await expect(refusing.self(signal)).rejects.toMatchObject({ kind: 'blocked', code: 'forge.tls' });
  });
});
