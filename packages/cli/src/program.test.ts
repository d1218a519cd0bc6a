import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { exitCodes } from './exit-codes.ts';

const bin = new URL('../bin/drydock.js', import.meta.url).pathname;

/** Runs the command as a user would; the environment is empty but for what is given. */
async function drydock(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [bin, ...args], { env: { PATH: process.env['PATH'] ?? '', ...environment } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

describe('drydock', () => {
  it('explains itself, with examples for each command', async () => {
    const help = await drydock(['--help']);
    const demo = await drydock(['demo', '--help']);

    expect(help).toMatchObject({ code: exitCodes.ok, stderr: '' });
    expect(help.stdout).toMatch(/demo[^]*dev/);
    expect(demo.stdout).toContain('Examples:');
  });

  it('says its version', async () => {
    expect((await drydock(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('refuses what it does not know, and says where to look', async () => {
    for (const args of [['launch'], ['demo', '--jsno']]) {
      const { code, stdout, stderr } = await drydock(args);

      expect({ code, stdout }).toEqual({ code: exitCodes.usage, stdout: '' });
      expect(stderr).toContain('--help');
    }
  });

  it('names every setting that is missing, and repeats no secret', async () => {
    const { code, stderr } = await drydock(['dev'], {
      DRYDOCK_GITLAB_TOKEN: 'canary',
      DRYDOCK_GITLAB_URL: 'not a url',
    });

    expect(code).toBe(exitCodes.config);
    expect(stderr).toMatch(
      /DRYDOCK_WEBHOOK_SECRETS \(not set\): Active webhook secrets[^]*DRYDOCK_GITLAB_URL: an http or https URL/,
    );
    expect(stderr).not.toContain('canary');
  });
});
