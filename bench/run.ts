/**
 * Runs the benchmarks and writes what they measured to `bench/results.json`.
 * `node bench/run.ts ingest` runs those whose name begins so; `BENCH=ingest` says the same.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';

/** One figure beside one peer, measured in the same run. */
export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer: string;
  readonly peerValue: number;
  /** `value` by `peerValue`, whichever of them is better when large. */
  readonly ratio: number;
  /** Milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  readonly peakMb?: number;
  /** Of ours, what was not done as it should be. */
  readonly failed?: number;
}

/** What a benchmark is given. */
export interface BenchmarkContext {
  /** Says what is being done, over the line that said it before. */
  readonly progress: (text: string) => void;
  readonly median: (values: readonly number[]) => number;
  /** Takes turns, ours first, so that a slow minute of the machine falls on both. */
  readonly inPairs: <Ours, Peer>(input: {
    readonly name: string;
    readonly rounds: number;
    readonly ours: () => Promise<Ours>;
    readonly peer: () => Promise<Peer>;
  }) => Promise<{ readonly ours: readonly Ours[]; readonly peer: readonly Peer[] }>;
}

/** A file here is a benchmark when it exports `benchmarks`, a list of these. */
export interface Benchmark {
  /** Its results have this name. */
  readonly name: string;
  run(context: BenchmarkContext): Promise<readonly Result[]>;
}

const folder = new URL('.', import.meta.url);
const prefix = process.argv[2] ?? process.env['BENCH'] ?? '';

const context: BenchmarkContext = {
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
    else process.stderr.write(`${text}\n`);
  },
  median,
  inPairs: async ({ name, rounds, ours, peer }) => {
    const seen = { ours: [] as Awaited<ReturnType<typeof ours>>[], peer: [] as Awaited<ReturnType<typeof peer>>[] };
    for (let round = 1; round <= rounds; round += 1) {
      context.progress(`${name}: round ${round} of ${rounds}, drydock`);
      seen.ours.push(await ours());
      context.progress(`${name}: round ${round} of ${rounds}, peer`);
      seen.peer.push(await peer());
    }
    return seen;
  },
};

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2;
}

/** Other files here are processes that a benchmark starts: reading them would start them. */
async function loadBenchmarks(): Promise<Benchmark[]> {
  const found: Benchmark[] = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort()) {
    const url = new URL(file, folder);
    if (!/^export const benchmarks\b/m.test(await readFile(url, 'utf8'))) continue;
    const module = (await import(url.href)) as { readonly benchmarks: readonly Benchmark[] };
    found.push(...module.benchmarks);
  }
  return found;
}

function printTable(results: readonly Result[]): void {
  const columns: readonly (readonly [string, (result: Result) => string])[] = [
    ['NAME', (result) => result.name],
    ['VALUE', (result) => `${figure(result.value)} ${result.unit}`],
    ['PEER', (result) => result.peer],
    ['PEER VALUE', (result) => `${figure(result.peerValue)} ${result.unit}`],
    ['RATIO', (result) => result.ratio.toFixed(2)],
    ['P50 MS', (result) => figure(result.p50)],
    ['P99 MS', (result) => figure(result.p99)],
    ['P99.9 MS', (result) => figure(result.p999)],
    ['PEAK MB', (result) => figure(result.peakMb)],
    ['FAILED', (result) => String(result.failed ?? '-')],
  ];
  const lines = [columns.map(([header]) => header), ...results.map((each) => columns.map(([, cell]) => cell(each)))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Of the last minute: a busy machine is seen by it. */
function currentLoad(): string {
  return (loadavg()[0] ?? NaN).toFixed(1);
}

function figure(value: number | undefined): string {
  if (value === undefined) return '-';
  if (value >= 100) return value.toFixed(0);
  return value >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

const chosen = (await loadBenchmarks()).filter(({ name }) => name.startsWith(prefix));
if (chosen.length === 0) {
  console.error(`no benchmark's name begins with ${JSON.stringify(prefix)}`);
  process.exitCode = 1;
} else {
  const results: Result[] = [];
  const resultsFile = new URL('results.json', folder);
  const loads = [currentLoad()];
  for (const benchmark of chosen) {
    context.progress(`${benchmark.name}: preparing`);
    results.push(...(await benchmark.run(context)));
    loads.push(currentLoad());
    await writeFile(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  }
  if (process.stderr.isTTY) context.progress('');
  printTable(results);
  console.log(`\nLoad ${loads.join(', ')} on ${availableParallelism()} cores, before and after each benchmark.`);
}
