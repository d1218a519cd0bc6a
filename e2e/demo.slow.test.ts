import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { demoProject, scriptedReviewer, startFakeClaude } from '@drydock/testkit';
import { startDrydock } from './run-drydock.ts';

async function demo(args: readonly string[], environment: Record<string, string> = {}) {
  const drydock = startDrydock(['demo', ...args], environment);
  return { code: await drydock.ended, stdout: drydock.stdout(), stderr: drydock.stderr() };
}

describe('drydock demo', () => {
  it('prints one object with every planted bug at its place, and what the second push changed', async () => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'drydock-leftovers-')); // of its own: other demos may run beside it
    stack.defer(() => rm(folder, { recursive: true, force: true }));

    const { code, stdout, stderr } = await demo(['--json'], { TMPDIR: folder });

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout) as Record<string, unknown> & { comments: Record<string, unknown>[] };
    expect(report).toMatchObject({
      state: 'done',
      isPaid: false,
      turns: expect.any(Number),
      tokens: {
        input: expect.any(Number),
        output: expect.any(Number),
        cacheRead: expect.any(Number),
        cacheWrite: expect.any(Number),
      },
      costUsd: expect.any(Number),
      secondPush: { resolved: demoProject.secondPush.fixed.length, repeated: 0, added: 0 },
      problems: [],
    });
    const places = ({ path, side, startLine, endLine, severity, category }: Record<string, unknown>) =>
      [path, side, startLine, endLine, severity, category].join(' ');
    expect(report.comments.map(places).sort()).toEqual(demoProject.expected.map((bug) => places({ ...bug })).sort());
    expect(new Set(report.comments.map((comment) => comment['placement']))).toEqual(new Set(['inline']));
    expect(stdout).not.toContain(demoProject.fakeSecret);
    expect((await readdir(folder)).filter((name) => name.startsWith('drydock-'))).toEqual([]);
  });

  it('tells the story to people, and ends by itself', async () => {
    const { code, stdout } = await demo([]);

    expect(code).toBe(0);
    expect(stdout).toMatch(
      /webhook[^]*checkout[^]*turn 1[^]*tokens, \$[^]*publish[^]*1 thread resolved[^]*0 comments repeated[^]*Where to look next/,
    );
    const commentRows = stdout.split('\n').filter((row) => row.includes('┃'));
    expect(commentRows.length).toBeGreaterThan(20);
    expect(commentRows.join('\n')).not.toContain(demoProject.fakeSecret); // the code above it is the author's own
    expect(stdout).not.toContain('\u001b'); // no terminal, no colours
  });

  it('ends at once with what to do when the model, its key or Redis is no good', async () => {
    await using claude = await startFakeClaude({ apiKey: 'right', script: scriptedReviewer(), allowViolations: true });
    const nobody = '127.0.0.1:1';

    const badKey = await demo([], { DRYDOCK_MODEL_URL: claude.url, ANTHROPIC_API_KEY: 'key-canary' });
    const noModel = await demo(['--json'], { DRYDOCK_MODEL_URL: `http://${nobody}` });
    const noRedis = await demo(['--json'], { DRYDOCK_REDIS_URL: `redis://u:pw-canary@${nobody}` });

    for (const { code, stdout, stderr } of [badKey, noModel, noRedis]) {
      expect(code).toBe(1);
      expect(stderr).not.toMatch(/Suppressed|Unhandled|ioredis|^ +at .*\n *$/m);
      expect(stdout + stderr).not.toContain('canary');
    }
    expect(badKey.stderr).toMatch(/could not be done.*Check ANTHROPIC_API_KEY/);
    expect(noModel.stderr).toMatch(/could not be done.*Check DRYDOCK_MODEL_URL/);
    expect(noRedis.stderr).toMatch(/Redis at redis:\/\/127\.0\.0\.1:1 cannot be used/);
  });
});
