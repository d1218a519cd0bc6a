import { readCounts } from './test-counts.ts';

/** One line over the runs that are named, the last that .ci/run prints. A run that left no counts is one failure. */
const runs = process.argv.slice(2).map((name) => ({ name, counts: readCounts(name) }));

const passed = runs.reduce((sum, { name, counts }) => sum + (name === 'check' ? 0 : (counts?.passed ?? 0)), 0);
const failed = runs.reduce((sum, { counts }) => sum + (counts?.failed ?? 1), 0);
const skipped = runs.reduce((sum, { counts }) => sum + (counts?.skipped ?? 0), 0);
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
