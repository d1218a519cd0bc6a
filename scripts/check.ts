import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runCommand } from './run-command.ts';
import { writeCounts } from './test-counts.ts';

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What mends it, where a machine can. */
  readonly hint?: string;
}

/** The slow ones first, so that two cores end together. What each holds: docs/house-style.md, "What checks it". */
const steps: readonly Step[] = [
  { name: 'lint', command: 'eslint', args: ['--max-warnings=0', '.'] },
  { name: 'types', command: 'tsc', args: ['-p', 'tsconfig.json'] },
  { name: 'format', command: 'prettier', args: ['--check', '--log-level', 'warn', '.'], hint: 'make fix' },
  {
    name: 'layers',
    command: 'depcruise',
    args: ['packages', 'scripts', 'bench', 'e2e', 'cluster'].filter((path) => existsSync(path)),
  },
  { name: 'unused', command: 'knip', args: ['--no-progress', '--no-config-hints'] },
  { name: 'generated', command: 'node', args: ['scripts/generate.ts', '--check'], hint: 'make fix' },
  { name: 'lockfile', command: 'node', args: ['scripts/check-lockfile.ts'] },
];

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `No such check: ${unknown.join(', ')}. There are: ${steps.map((step) => step.name).join(', ')}\n`,
  );
  process.exit(2);
}

const failures: { step: Step; output: string }[] = [];
const waiting = steps.filter((step) => positionals.length === 0 || positionals.includes(step.name));
const total = waiting.length;

async function runSteps(): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const startedMs = performance.now();
    const { exitCode, output } = await runCommand(step.command, step.args);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(`${exitCode === 0 ? 'ok    ' : 'FAILED'}  ${step.name.padEnd(10)} ${seconds.padStart(6)} s\n`);
    if (exitCode !== 0) failures.push({ step, output });
  }
}

await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, runSteps));

for (const { step, output } of failures) {
  process.stdout.write(`\n--- ${step.name}: ${step.command} ${step.args.join(' ')}\n${output.trimEnd()}\n`);
  if (step.hint !== undefined) process.stdout.write(`(${step.hint} mends it)\n`);
}
writeCounts('check', { passed: total - failures.length, failed: failures.length, skipped: 0 });
process.exitCode = failures.length === 0 ? 0 : 1;
