import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { root } from './run-command.ts';

const folder = join(root, '.cache', 'results');

/** What one run of tests or checks came to. */
export const TestCounts = z.object({ passed: z.int(), failed: z.int(), skipped: z.int() });
export type TestCounts = z.infer<typeof TestCounts>;

/** Leaves the counts of a run where the summary finds them. */
export function writeCounts(name: string, counts: TestCounts): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(counts)}\n`);
}

/** The counts that a run left, or null if it did not get that far. */
export function readCounts(name: string): TestCounts | null {
  try {
    return TestCounts.parse(JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')));
  } catch {
    return null;
  }
}
