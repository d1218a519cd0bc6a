import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { demoProject } from '@drydock/testkit';
import { startDrydock } from './run-drydock.ts';

async function demo(args: readonly string[]) {
  const drydock = startDrydock(['demo', ...args]);
  return { code: await drydock.ended, stdout: drydock.stdout(), stderr: drydock.stderr() };
}

const leftovers = async () =>
  (await readdir(tmpdir())).filter((name) => /^drydock-(demo|gitlab|run)/.test(name)).sort();

describe('drydock demo', () => {
  it('prints one object with every planted bug at its place, and what the second push changed', async () => {
    const before = await leftovers();

    const { code, stdout, stderr } = await demo(['--json']);

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
    expect(await leftovers()).toEqual(before);
  }, 120_000);

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
  }, 120_000);
});
