import { describe, expect, it } from '@jest/globals';
import { exitCodes } from './exit-codes.ts';
import { startCommand } from './testing/start-command.ts';
import { startProcess } from './testing/start-process.ts';

const drydock = (args: readonly string[], environment: Record<string, string> = {}) =>
  startCommand(args, { environment }).ended;

describe('drydock', () => {
  it('explains itself, with examples for each command', async () => {
    const help = await drydock(['--help']);
    const demo = await drydock(['demo', '--help']);

    expect(help).toMatchObject({ code: exitCodes.ok, stderr: '' });
    expect(help.stdout).toMatch(/demo[^]*dev/);
    expect(demo.stdout).toContain('Examples:');
  });

  it('says its version', async () => {
    expect((await startProcess(['--version']).ended).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
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
