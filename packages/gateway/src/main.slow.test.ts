import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const mainFile = fileURLToPath(new URL('main.ts', import.meta.url));

const good = {
  DRYDOCK_CONTROL_TOKEN: 'control-token-of-the-tests',
  DRYDOCK_GITLAB_URL: 'http://127.0.0.1:1',
  DRYDOCK_GITLAB_TOKEN: 'glpat-secret-of-the-tests',
  DRYDOCK_MARKER_KEYS: 'marker-key-of-the-tests',
  DRYDOCK_GATEWAY_PORT: '0',
  ANTHROPIC_API_KEY: 'sk-ant-secret-of-the-tests',
};

async function start(environment: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-main-'));
  const child = spawn(process.execPath, [mainFile], {
    env: { PATH: process.env['PATH'] ?? '', DRYDOCK_GATEWAY_DATA_DIR: join(folder, 'data'), ...environment },
    cwd: folder,
  });
  let output = '';
  const hear = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => ({ code, signal }));
  return {
    child,
    ended,
    folder,
    said: () => output,
    async until(text: string) {
      while (!output.includes(text)) {
        if (child.exitCode !== null) throw new Error(`it ended:\n${output}`);
        await Promise.race([once(child.stdout, 'data'), ended]);
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describe('the gateway process', () => {
  it('names every bad setting at once and repeats no value', async () => {
    await using gateway = await start({
      ...good,
      DRYDOCK_CONTROL_TOKEN: 'short-secret',
      DRYDOCK_GITLAB_URL: 'ftp://secret.example',
      DRYDOCK_GITLAB_TOKEN: '',
      DRYDOCK_MODEL_PRICES: '{"x": secret}',
      DRYDOCK_GATEWAY_PORT: 'secret',
    });

    expect(await gateway.ended).toEqual({ code: 78, signal: null });
    for (const name of ['CONTROL_TOKEN', 'GITLAB_URL', 'GITLAB_TOKEN (not set)', 'MODEL_PRICES', 'GATEWAY_PORT']) {
      expect(gateway.said()).toContain(`DRYDOCK_${name}`);
    }
    expect(gateway.said()).not.toContain('secret');
    expect(gateway.said()).not.toContain('    at ');
  });

  it('says what to do without a key for the model', async () => {
    await using gateway = await start({ ...good, ANTHROPIC_API_KEY: '' });

    expect(await gateway.ended).toEqual({ code: 78, signal: null });
    expect(gateway.said()).toContain('ANTHROPIC_API_KEY (not set)');
    expect(gateway.said()).toContain('DRYDOCK_MODEL_URL');
  });

  it('says where a policy is wrong, and that a file is missing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drydock-policy-'));
    const policyFile = join(folder, 'policy.yaml');
    await writeFile(policyFile, 'blockAt: high\nmodle: claude-opus-5-5\n');

    await using wrong = await start({ ...good, DRYDOCK_POLICY_FILE: policyFile });
    expect(await wrong.ended).toEqual({ code: 78, signal: null });
    expect(wrong.said()).toContain(':2:1 modle: unknown key (did you mean model?)');
    await using missing = await start({ ...good, DRYDOCK_CA_FILE: join(folder, 'none.pem') });
    expect(await missing.ended).toEqual({ code: 78, signal: null });
    expect(missing.said()).toContain('cannot be read');
    await rm(folder, { recursive: true });
  });

  it('says that there is no Kubernetes whose pods could exchange their identity', async () => {
    await using gateway = await start({ ...good, DRYDOCK_TASKS_NAMESPACE: 'drydock-tasks' });

    expect(await gateway.ended).toEqual({ code: 78, signal: null });
    expect(gateway.said()).toContain('KUBECONFIG');
  });

  it('says that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';

    await using gateway = await start({ ...good, DRYDOCK_GATEWAY_PORT: port });

    expect(await gateway.ended).toEqual({ code: 78, signal: null });
    expect(gateway.said()).toContain('another program uses it');
    other.close();
  });

  it('refuses a folder that others can write to', async () => {
    await using gateway = await start({ ...good, DRYDOCK_GATEWAY_DATA_DIR: tmpdir() });

    expect(await gateway.ended).toEqual({ code: 78, signal: null });
    expect(gateway.said()).toContain('DRYDOCK_GATEWAY_DATA_DIR');
  });

  it('starts, answers, logs no secret, and ends by itself when told to', async () => {
    await using gateway = await start(good);
    await gateway.until('gateway started');
    const port = /"port":(\d+)/.exec(gateway.said())?.[1] ?? '';

    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    gateway.child.kill('SIGTERM');

    expect(await gateway.ended).toEqual({ code: 0, signal: null });
    expect(gateway.said()).not.toMatch(/of-the-tests/);
  });
});
