import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { startProcess } from '../start-process.ts';
import { skewedClock, whyNoSkewedClock } from './skewed-clock.ts';

const missing = whyNoSkewedClock();
if (missing !== null) process.stderr.write(`skipped: ${missing}\n`);

(missing === null ? describe : describe.skip)('skewedClock', () => {
  it('moves the wall clock of a program, again while it runs, and leaves its monotonic clock alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drydock-skew-'));
    const program = join(folder, 'clock.mjs');
    writeFileSync(
      program,
      `const tell = (msg) => console.log(JSON.stringify({ aheadMs: Date.now() - performance.timeOrigin - performance.now(), nowMs: Date.now(), upMs: performance.now(), msg }));
       tell('before');
       setInterval(() => tell(Date.now() < ${Date.now()} ? 'after' : 'still'), 10);`,
    );
    using clock = skewedClock(600);
    await using child = startProcess(program, clock.environment);
    const before = await child.logged('before');

    clock.step(-600);

    const after = await child.logged('after');
    expect(Number(before['nowMs']) - Date.now()).toBeGreaterThan(300_000);
    expect(Number(after['nowMs']) - Date.now()).toBeLessThan(-300_000);
    expect(Number(after['upMs']) - Number(before['upMs'])).toBeGreaterThan(0);
    expect(Number(after['upMs']) - Number(before['upMs'])).toBeLessThan(300_000);
    rmSync(folder, { recursive: true });
  });
});
