import { accessSync, constants, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { z } from 'zod';
import { root, runCommand } from './run-command.ts';
import { writeCounts, type TestCounts } from './test-counts.ts';

/** What each set leaves out. Names of test files: CONTRIBUTING.md. */
const sets = {
  all: ['--testPathIgnorePatterns=[.]live[.]test[.]ts$'],
  fast: ['--testPathIgnorePatterns=[.](live|redis|slow)[.]test[.]ts$', '--testPathIgnorePatterns=<rootDir>/e2e/'],
  live: ['--testMatch=**/*.live.test.ts', '--testPathIgnorePatterns=/node_modules/'],
};

const JestReport = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  numRuntimeErrorTestSuites: z.int(),
});

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A suite that could not run is one failure, and so is a jest that ended without saying why. */
function countsOf(reportFile: string, exitCode: number | null): TestCounts {
  let report: z.infer<typeof JestReport>;
  try {
    report = JestReport.parse(JSON.parse(readFileSync(reportFile, 'utf8')));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

const [name, ...jestArgs] = process.argv.slice(2);
if (name !== 'all' && name !== 'fast' && name !== 'live') {
  process.stderr.write('usage: node scripts/test.ts all|fast|live [arguments of jest]\n');
  process.exit(2);
}

const setArgs = [...sets[name]];
let skippedFiles = 0;
if (name === 'all' && !isOnPath('redis-server')) {
  setArgs.push('--testPathIgnorePatterns=[.]redis[.]test[.]ts$');
  skippedFiles = globSync('{packages/*/src,e2e}/**/*.redis.test.ts', { cwd: root }).length;
}

const reportFile = join(root, '.cache', 'results', `jest-${name}.json`);
mkdirSync(dirname(reportFile), { recursive: true });
rmSync(reportFile, { force: true });
// The patterns come first: jest takes words that follow such an option for more patterns.
const node24 = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const { exitCode } = await runCommand(
  'node',
  [...node24, ...setArgs, '--json', `--outputFile=${reportFile}`, ...jestArgs],
  { show: true },
);

const counts = countsOf(reportFile, exitCode);
writeCounts(name, { ...counts, skipped: counts.skipped + skippedFiles });
if (skippedFiles > 0) process.stdout.write(`${skippedFiles} suites were skipped: there is no redis-server on PATH.\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
