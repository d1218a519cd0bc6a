import { once } from 'node:events';
import { lstat, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ExchangeRequest, agentRoutes } from '@drydock/core';
import type { ExchangeTimes } from './exchange.ts';
import { exitCodes } from './exit-codes.ts';
import { runPreflight } from './run-preflight.ts';

const runId = '0123456789abcdef-1';
const identity = 'aaa-canary.bbb.ccc';
const token = `ddrun_canary${'x'.repeat(40)}`;
const times = {
  probes: { probeMs: 60_000, pauseMs: 20, patienceMs: 200 },
  exchange: { callMs: 60_000, firstPauseMs: 20, longestPauseMs: 50, patienceMs: 1000 },
};

describe('runPreflight', () => {
  let folder: string;
  let gateway: Server;
  let asked: { readonly headers: IncomingMessage['headers']; readonly body: unknown }[];
  let answer: (response: ServerResponse) => void;
  let said: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-preflight-'));
    await writeFile(join(folder, 'identity'), `${identity}\n`);
    asked = [];
    said = '';
    answer = (response) => response.end(JSON.stringify({ v: 1, token, deadlineSeconds: 900 }));
    gateway = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        asked.push({ headers: request.headers, body: JSON.parse(text) });
        if (request.url === agentRoutes.exchange && request.method === 'POST') answer(response);
        else response.writeHead(404).end();
      });
    });
    gateway.listen(0, '127.0.0.1');
    await once(gateway, 'listening');
  });
  afterEach(async () => {
    gateway.closeAllConnections();
    gateway.close();
    await rm(folder, { recursive: true, force: true });
  });

  const urlOfGateway = () => {
    const address = gateway.address();
    return `http://127.0.0.1:${String(typeof address === 'object' && address !== null ? address.port : 0)}`;
  };
  const tokenFile = () => join(folder, 'run-token');
  const run = (changes: Readonly<Record<string, string>> = {}, exchange: Partial<ExchangeTimes> = {}) =>
    runPreflight({
      environment: {
        DRYDOCK_GATEWAY_URL: urlOfGateway(),
        DRYDOCK_RUN_ID: runId,
        DRYDOCK_PREFLIGHT_TARGETS: '{"hard": ["127.0.0.1:1"]}',
        DRYDOCK_IDENTITY_TOKEN_FILE: join(folder, 'identity'),
        DRYDOCK_RUN_TOKEN_FILE: tokenFile(),
        ...changes,
      },
      write: (line) => (said += line),
      times: { ...times, exchange: { ...times.exchange, ...exchange } },
    });
  const says = (status: number, code: string) => {
    answer = (response) => response.writeHead(status).end(JSON.stringify({ error: { code, message: 'canary' } }));
  };

  it('puts the run token where only the agent can read it, and says neither token', async () => {
    expect(await run()).toBe(exitCodes.ready);

    expect(await readFile(tokenFile(), 'utf8')).toBe(token);
    expect((await lstat(tokenFile())).mode & 0o777).toBe(0o400);
    expect((await readdir(folder)).sort()).toEqual(['identity', 'run-token']);
    expect(asked).toMatchObject([{ headers: { authorization: `Bearer ${identity}` } }]);
    expect(ExchangeRequest.parse(asked[0]?.body)).toMatchObject({
      runId,
      preflight: { rounds: 1, probes: [{ target: '127.0.0.1:1', set: 'hard', outcome: 'refused' }] },
    });
    expect(said).not.toContain('canary');
    expect(JSON.parse(said)).toMatchObject({ level: 'info', msg: 'ready', rounds: 1 });
  });

  it('does over what an attempt that was killed left', async () => {
    await writeFile(`${tokenFile()}.new`, 'half', { mode: 0o400 });

    expect(await run()).toBe(exitCodes.ready);

    expect(await readFile(tokenFile(), 'utf8')).toBe(token);
    expect((await readdir(folder)).sort()).toEqual(['identity', 'run-token']);
  });

  it('asks for no token where the network is open, and says which address answered', async () => {
    const { host } = new URL(urlOfGateway());

    expect(await run({ DRYDOCK_PREFLIGHT_TARGETS: JSON.stringify({ hard: [host] }) })).toBe(exitCodes.notIsolated);

    expect(asked).toEqual([]);
    expect(await readdir(folder)).toEqual(['identity']);
    expect(JSON.parse(said)).toMatchObject({ probes: [{ target: host, outcome: 'connected' }] });
  });

  it.each([
    [401, 'run.launch_superseded', exitCodes.refused],
    [404, 'request.not_found', exitCodes.badConfig],
    [400, 'request.malformed', exitCodes.badConfig],
    [503, 'kube.unreachable', exitCodes.unreachable],
    [424, 'kube.forbidden', exitCodes.unreachable],
    [429, 'gateway.busy', exitCodes.unreachable],
  ])('ends for an answer %d %s with the code %d, and leaves no token', async (status, code, expected) => {
    says(status, code);

    expect(await run()).toBe(expected);

    expect(asked.length > 1).toBe(expected === exitCodes.unreachable);
    expect(await readdir(folder)).toEqual(['identity']);
    expect(said).toContain(`${String(status)} ${code}`);
    expect(said).not.toContain('canary');
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['says nothing', () => undefined],
    ['breaks off', (response) => response.destroy()],
    ['says too much', (response) => response.end('x'.repeat(100_000))],
  ])('goes on asking a gateway that %s, and ends when it stays so', async (_, behave) => {
    answer = behave;

    expect(await run({}, { callMs: 100 })).toBe(exitCodes.unreachable);

    expect(asked.length).toBeGreaterThan(1);
  });

  it('has its token from a gateway that comes later', async () => {
    let calls = 0;
    answer = (response) => {
      calls += 1;
      if (calls < 3) response.destroy();
      else response.end(JSON.stringify({ v: 1, token, deadlineSeconds: 900 }));
    };

    expect(await run({}, { patienceMs: 60_000 })).toBe(exitCodes.ready);

    expect(calls).toBe(3);
  });

  it('ends when there is no gateway', async () => {
    expect(await run({ DRYDOCK_GATEWAY_URL: 'http://127.0.0.1:1' })).toBe(exitCodes.unreachable);
    expect(said).toContain('ECONNREFUSED');
  });

  it('takes no token that could be none', async () => {
    answer = (response) => response.end(JSON.stringify({ v: 1, token: 'short', deadlineSeconds: 900 }));

    expect(await run()).toBe(exitCodes.badConfig);
  });

  it('names a wrong setting, and an identity that is none', async () => {
    expect(await run({ DRYDOCK_RUN_ID: 'canary' })).toBe(exitCodes.badConfig);
    expect(await run({ DRYDOCK_IDENTITY_TOKEN_FILE: join(folder, 'nothing') })).toBe(exitCodes.badConfig);

    expect(said).toMatch(/DRYDOCK_RUN_ID.*\n.*DRYDOCK_IDENTITY_TOKEN_FILE/);
    expect(said).not.toContain('canary');
  });
});
