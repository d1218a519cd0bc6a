import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exitCodes, preflightMainPath } from './index.ts';

const run = promisify(execFile);
const onLinux = process.platform === 'linux' ? describe : describe.skip;

/** In a network of its own: 10.9.0.0/24 swallows what it is sent, to 10.8.0.0/24 there is no way. */
const network = 'ip link set lo up && ip route add 10.9.0.0/24 dev lo';

onLinux('the preflight as one file in a network of its own', () => {
  let folder: string;
  let program: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-preflight-'));
    program = join(folder, 'preflight.mjs');
    const esbuild = join(process.cwd(), 'node_modules', '.bin', 'esbuild');
    await run(esbuild, [preflightMainPath, '--bundle', '--platform=node', '--format=esm', `--outfile=${program}`]);
    await writeFile(join(folder, 'identity'), 'a.b.c');
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** `first`: what else is begun in that network before. */
  async function start(targets: object, first = ':') {
    const args = [
      '-r',
      '-n',
      '-p',
      '-f',
      '--kill-child',
      'sh',
      '-c',
      `${network} && ${first} && exec "$@"`,
      'sh',
      process.execPath,
      program,
    ];
    const child = spawn('unshare', args, {
      env: {
        PATH: process.env['PATH'] ?? '',
        DRYDOCK_GATEWAY_URL: 'http://127.0.0.1:1',
        DRYDOCK_RUN_ID: '0123456789abcdef-1',
        DRYDOCK_PREFLIGHT_TARGETS: JSON.stringify(targets),
        DRYDOCK_IDENTITY_TOKEN_FILE: join(folder, 'identity'),
        DRYDOCK_RUN_TOKEN_FILE: join(folder, 'run-token'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
    return await once(child, 'close').then(([code]: unknown[]) => ({ code, words }));
  }

  it('holds nothing but itself', async () => {
    expect((await stat(program)).size).toBeLessThan(30_000);
  });

  it('takes a closed network for one, and gives up a gateway that is not there', async () => {
    const { code, words } = await start({ hard: ['10.9.0.1:80', '10.8.0.1:80', '127.0.0.1:80', '[fd00::1]:80'] });

    expect(code).toBe(exitCodes.unreachable);
    expect(JSON.parse(words)).toMatchObject({ msg: 'no token', rounds: 1 });
  });

  it('ends with 42 where an address answers, and says what the others did', async () => {
    const isListening = join(folder, 'is-listening');
    const server = `require('net').createServer().listen(7000, '127.0.0.1', () => require('fs').mkdirSync('${isListening}'))`;
    const started = `{ "${process.execPath}" -e "${server}" & } && while ! [ -e "${isListening}" ]; do sleep 0.05; done`;
    const hard = ['10.9.0.1:80', '10.8.0.1:80', '127.0.0.1:80', '[fd00::1]:80', '127.0.0.1:7000'];
    const { code, words } = await start({ hard }, started);

    expect(code).toBe(exitCodes.notIsolated);
    const outcomes = [...words.matchAll(/"outcome":"([a-z-]+)"/g)].map(([, outcome]) => outcome);
    expect(outcomes).toEqual(['timeout', 'no-route', 'refused', 'no-route', 'connected']);
  });
});
