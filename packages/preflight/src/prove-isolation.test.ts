import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { PreflightReport } from '@drydock/core';
import type { Target } from './config.ts';
import { isClean, proveIsolation } from './prove-isolation.ts';

const times = { probeMs: 60_000, pauseMs: 20, patienceMs: 400 };
const closed: Target = { host: '127.0.0.1', port: 1, text: '127.0.0.1:1' };

describe('proveIsolation', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function open(): Promise<Target & { server: Server }> {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return { host: '127.0.0.1', port, text: `127.0.0.1:${String(port)}`, server };
  }

  it('is done after one round when nothing answers that must not', async () => {
    const reachable = await open();

    const report = await proveIsolation({ hard: [closed], posture: [reachable] }, times);

    expect(report).toMatchObject({
      rounds: 1,
      probes: [
        { target: '127.0.0.1:1', set: 'hard', outcome: 'refused' },
        { target: reachable.text, set: 'posture', outcome: 'connected' },
      ],
    });
    expect(isClean(report)).toBe(true);
    expect(PreflightReport.parse(report)).toEqual(report);
  });

  it('tries again while something answers, and gives up after its time', async () => {
    const report = await proveIsolation({ hard: [closed, await open()], posture: [] }, times);

    expect(report.rounds).toBeGreaterThan(1);
    expect(report.elapsedMs).toBeGreaterThan(300);
    expect(isClean(report)).toBe(false);
    expect(report.probes.map(({ outcome }) => outcome)).toEqual(['refused', 'connected']);
  });

  it('waits for a policy that comes later than its pod', async () => {
    const late = await open();
    let connections = 0;
    late.server.on('connection', () => {
      connections += 1;
      if (connections === 3) late.server.close();
    });

    const report = await proveIsolation({ hard: [late], posture: [] }, { ...times, patienceMs: 60_000 });

    expect(isClean(report)).toBe(true);
    expect(report.rounds).toBe(connections + 1);
  });
});
