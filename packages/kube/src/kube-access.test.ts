import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { pods } from './builtin-resources.ts';
import { createKubeClient } from './http-kube-client.ts';
import { loadKubeAccess, type KubeAccess } from './kube-access.ts';
import type { KubeClient } from './kube-client.ts';
import { startTokenServer, type TokenServer } from './testing/token-server.ts';

let folder: string;
let clock: ManualClock;
let server: TokenServer;
let access: KubeAccess;
let client: KubeClient;
const { signal } = new AbortController();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-identity-'));
  clock = new ManualClock();
  server = await startTokenServer('first');
  await writeFile(join(folder, 'token'), 'first\n');
  await writeFile(join(folder, 'ca.crt'), server.caPem);
  await writeFile(join(folder, 'namespace'), 'drydock');
  const service = { host: '127.0.0.1', port: String(server.port) };
  access = await loadKubeAccess({ kubeconfigFile: null, service, clock, serviceAccountFolder: folder });
  client = createKubeClient({ access });
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const read = () => client.read(pods, { namespace: 'drydock', name: 'none' }, { signal, timeoutMs: 60_000 });

describe('the identity of a pod', () => {
  it('is what the kubelet put there', async () => {
    await expect(read()).resolves.toBeNull();

    expect(access.namespace).toBe('drydock');
    expect(server.answers).toEqual([404]);
  });

  it('faults row 33: a token that was replaced is read again at once after a 401', async () => {
    await read();
    server.token = 'second';
    await writeFile(join(folder, 'token'), 'second');

    await expect(read()).resolves.toBeNull();

    expect(server.answers).toEqual([404, 401, 404]);
  });

  it('faults row 33: and each minute, before anybody refuses the old one', async () => {
    await read();
    server.token = 'second';
    await writeFile(join(folder, 'token'), 'second');
    await clock.advance(60_000);

    await read();

    expect(server.answers).toEqual([404, 404]);
  });

  it('faults row 33: a token that stays refused is a person’s matter, asked once and not in a storm', async () => {
    server.token = 'other';

    await expect(read()).rejects.toMatchObject({ kind: 'blocked', code: 'kube.unauthorized' });

    expect(server.answers).toEqual([401, 401]);
  });

  it('faults row 33: a CA that was replaced is read again when the handshake fails', async () => {
    await read();
    server.replaceCertificate();
    await writeFile(join(folder, 'ca.crt'), server.caPem);

    await expect(read()).resolves.toBeNull();
  });

  it('a CA that is not the server’s is said as such', async () => {
    server.replaceCertificate();

    await expect(read()).rejects.toMatchObject({ kind: 'blocked', code: 'kube.tls' });
  });

  it('a file that cannot be read just now leaves what there was', async () => {
    await read();
    await rm(join(folder, 'token'));
    await clock.advance(60_000);

    await expect(read()).resolves.toBeNull();
  });

  it('says at start what is missing', async () => {
    const settings = { kubeconfigFile: null, clock, serviceAccountFolder: join(folder, 'none') };
    const nowhere = loadKubeAccess({ ...settings, service: null });
    const empty = loadKubeAccess({ ...settings, service: { host: '127.0.0.1', port: '1' } });
    const noFile = loadKubeAccess({ ...settings, kubeconfigFile: join(folder, 'config'), service: null });

    const ends = await Promise.allSettled([nowhere, empty, noFile]);

    const reason = expect.objectContaining({ kind: 'config', code: 'config.invalid' });
    expect(ends).toEqual([1, 2, 3].map(() => ({ status: 'rejected', reason })));
  });
});
