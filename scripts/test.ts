import { accessSync, constants, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { z } from 'zod';
import { needsBuild, removeAbandoned, whyNoCluster } from '../cluster/start-cluster.ts';
import { prepareChart } from './chart/install-chart.ts';
import { clusterSuites, planSuite } from './cluster-tests.ts';
import { root, runCommand } from './run-command.ts';
import { writeCounts, type TestCounts } from './test-counts.ts';

/** What each set leaves out. Names of test files: CONTRIBUTING.md. */
const sets = {
  all: ['--testPathIgnorePatterns=[.]live[.]test[.]ts$'],
  fast: [
    '--testPathIgnorePatterns=[.](live|redis|slow|control-plane|cluster)[.]test[.]ts$',
    '--testPathIgnorePatterns=<rootDir>/e2e/',
  ],
  live: ['--testMatch=**/*.live.test.ts', '--testPathIgnorePatterns=/node_modules/'],
};

/** A cluster with a node, Drydock in it and some agents. */
const bytesPerNode = 4 * 2 ** 30;

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
// The patterns come first: jest takes words that follow such an option for more patterns.
const node24 = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const skipped: { files: number; why: string }[] = [];
let failedBuilds = 0;
let hasNodeSuites = false;

function leaveOut(pattern: string, files: number, why: string): void {
  setArgs.push(`--testPathIgnorePatterns=${pattern}`);
  skipped.push({ files, why });
}

if (name === 'all') {
  if (!isOnPath('redis-server')) {
    const files = globSync('{packages/*/src,e2e}/**/*.redis.test.ts', { cwd: root }).length;
    leaveOut('[.]redis[.]test[.]ts$', files, 'there is no redis-server on PATH');
  }
  const listed = await runCommand('node', [...node24, ...setArgs, '--listTests', ...jestArgs]);
  const selected = listed.output.split('\n').filter((line) => line.endsWith('.ts'));
  for (const suite of clusterSuites(root)) {
    const plan = () =>
      planSuite(suite, selected, { why: whyNoCluster(suite.level), isBuilt: !needsBuild(suite.level) });
    let next = plan();
    if (next.kind === 'build') {
      // Minutes on a new machine, and never again: not within the time limit of a test.
      const built = await runCommand('node', ['cluster/src/main.ts', 'build', next.level], { show: true });
      if (built.exitCode !== 0) failedBuilds += 1;
      const why =
        built.exitCode === 0 ? whyNoCluster(suite.level) : 'what a test cluster is made of could not be built';
      next = planSuite(suite, selected, { why, isBuilt: true });
    }
    if (next.kind === 'skip') leaveOut(next.pattern, next.files, `no ${suite.level} cluster: ${next.why}`);
    else if (suite.level === 'full') hasNodeSuites = selected.some((file) => new RegExp(suite.pattern).test(file));
  }
  if (hasNodeSuites) {
    // Nor are the images.
    const onProgress = (step: string) => process.stderr.write(`${step}\n`);
    try {
      await prepareChart({ signal: AbortSignal.timeout(1_800_000), onProgress });
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      failedBuilds += 1;
    }
  }
}

/** One jest over what the arguments choose. */
async function runJest(part: string, args: readonly string[]): Promise<TestCounts> {
  const reportFile = join(root, '.cache', 'results', `jest-${part}.json`);
  mkdirSync(dirname(reportFile), { recursive: true });
  rmSync(reportFile, { force: true });
  const outputs = ['--json', `--outputFile=${reportFile}`];
  const { exitCode } = await runCommand('node', [...node24, ...args, ...outputs, ...jestArgs], { show: true });
  return countsOf(reportFile, exitCode);
}

const parts: TestCounts[] = [];
if (hasNodeSuites) {
  const isNodeSuite = '[.]cluster[.]test[.]ts$';
  parts.push(await runJest(name, [...setArgs, `--testPathIgnorePatterns=${isNodeSuite}`, '--passWithNoTests']));
  // They wait most of the time, for pods and for what Kubernetes does by itself: one more than there are processors,
  // where the memory is enough for so many clusters.
  const atOnce = Math.max(1, Math.min(availableParallelism() + 1, Math.floor(totalmem() / bytesPerNode)));
  const onlyThese = ['packages/*/src', '{cluster,e2e,scripts}'].map(
    (folder) => `--testMatch=<rootDir>/${folder}/**/*.cluster.test.ts`,
  );
  const order = ['--testSequencer=<rootDir>/scripts/waits-first.cjs', `--maxWorkers=${String(atOnce)}`];
  parts.push(await runJest(`${name}-nodes`, [...setArgs, ...onlyThese, ...order]));
} else {
  parts.push(await runJest(name, setArgs));
}

if (name === 'all') await removeAbandoned(AbortSignal.timeout(120_000));

const sum = (count: keyof TestCounts) => parts.reduce((total, part) => total + part[count], 0);
const failed = sum('failed') + failedBuilds;
const leftOut = skipped.reduce((total, { files }) => total + files, 0);
writeCounts(name, { passed: sum('passed'), failed, skipped: sum('skipped') + leftOut });
for (const { files, why } of skipped) process.stdout.write(`${files} suites were skipped: ${why}.\n`);
process.exitCode = failed === 0 ? 0 : 1;
