import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';

const bin = new URL('../bin/drydock.js', import.meta.url).pathname;

/** Starts the demo and, once it tells its story, does something to it; answers with how it ended. */
async function demoUntil(act: (child: ReturnType<typeof start>) => void) {
  const child = start();
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child.stdout, 'data');
  act(child);
  child.stdout.resume();
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, stderr };
}

function start() {
  return spawn(process.execPath, [bin, 'demo'], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('drydock that is ended from outside', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends by %s without a complaint, and tells so in its exit status', async (signal, code) => {
    const end = await demoUntil((child) => child.kill(signal));

    expect(end).toEqual({ code, signal: null, stderr: '' });
  });

  it('ends when nobody reads on', async () => {
    const end = await demoUntil((child) => child.stdout.destroy());

    expect(end).toEqual({ code: 141, signal: null, stderr: '' });
  });
});
