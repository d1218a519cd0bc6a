import { type CommitPlan, type FileChange, type GitRepositoryFixture } from './git-repository.ts';

/** What the files of a history are like, as chances between 0 and 1. */
export interface HistoryHabits {
  /** The same seed makes the same history. */
  readonly seed: number;
  readonly commits: number;
  /** Lines end in CRLF. */
  readonly carriageReturns?: number;
  /** The last line has no line feed. */
  readonly withoutLastNewline?: number;
  /** A change is a rename, often with an edit. */
  readonly renames?: number;
  /** Submodules, links, binaries, scripts, and changes between them. */
  readonly oddKinds?: number;
  /** Paths in quotes, with spaces, in other scripts. */
  readonly oddPaths?: number;
  /** Lines that look like a diff, that hold odd separators, or that are no UTF-8. */
  readonly oddLines?: number;
}

interface File {
  readonly kind: 'text' | 'binary' | 'link' | 'script' | 'submodule';
  readonly lines: readonly Buffer[];
  readonly endsWithoutNewline: boolean;
}

type Random = (() => number) & { readonly below: (count: number) => number };

const plainLines = ['', '}', '  return value;', 'const a = 1;', '// comment', 'if (x) {', '\tindented'];
const oddLines = [
  ...[
    '-- a/x',
    '++ b/x',
    '@@ -1 +1 @@',
    '@@ -1,3 +1,3 @@ heading',
    'diff --git a/x b/x',
    '\\ No newline at end of file',
  ],
  ...[
    'lone\rreturn',
    'form\ffeed',
    'separator\u2028here',
    'next\u0085line',
    '\ufeffmark',
    'e\u0301\u{1f600}',
    '+',
    '-',
    ' ',
  ],
];
const oddNames = [
  'a b',
  'q"uote',
  'tab\there',
  'line\nfeed',
  'back\\slash',
  '-dash',
  ':colon',
  'x b/y',
  'ünï',
  '日本',
  'e\u0301',
  '*',
];

/** Fills a repository with a history made by chance: edits of any shape in files of any kind. Answers its commits. */
export async function fillWithHistory(repository: GitRepositoryFixture, habits: HistoryHabits): Promise<string[]> {
  const random = randomFrom(habits.seed);
  const files = new Map<string, File>();
  const plans = Array.from({ length: habits.commits }, (_, index): CommitPlan => {
    const touched = new Set<string>();
    const changes = index === 0 ? 25 : 4 + random.below(6);
    for (let count = 0; count < changes; count += 1) changeSomething(files, touched, habits, random, index === 0);
    // A file may go and a folder of its name come: git wants what goes to go first.
    const gone = Array.from(touched, (path) => [path, null] as const).filter(([path]) => !files.has(path));
    const there = Array.from(touched).flatMap((path) => {
      const file = files.get(path);
      return file === undefined ? [] : [[path, toChange(file)] as const];
    });
    return { changes: [...gone, ...there] };
  });
  return repository.commitAll(plans);
}

function changeSomething(
  files: Map<string, File>,
  touched: Set<string>,
  habits: HistoryHabits,
  random: Random,
  isFirst: boolean,
): void {
  const paths = Array.from(files.keys());
  const path = paths[random.below(paths.length)];
  const file = path === undefined ? undefined : files.get(path);
  if (isFirst || path === undefined || file === undefined || random() < 0.15) {
    const born = newPath(files, habits, random);
    files.set(born, newFile(habits, random));
    touched.add(born);
    return;
  }
  touched.add(path);
  if (random() < 0.08) {
    files.delete(path);
    return;
  }
  const changed = random() < 0.3 && random() < (habits.renames ?? 0) ? file : edit(file, habits, random);
  if (random() < (habits.renames ?? 0)) {
    const to = newPath(files, habits, random);
    files.delete(path);
    files.set(to, changed);
    touched.add(to);
    return;
  }
  files.set(path, changed);
}

function newPath(files: ReadonlyMap<string, File>, habits: HistoryHabits, random: Random): string {
  const isOdd = random() < (habits.oddPaths ?? 0);
  const name = isOdd ? (oddNames[random.below(oddNames.length)] ?? '') : 'file';
  const path = `folder-${random.below(4)}/${name}-${files.size}-${random.below(10_000)}`;
  return files.has(path) ? newPath(files, habits, random) : path;
}

function newFile(habits: HistoryHabits, random: Random): File {
  const kinds = ['binary', 'link', 'script', 'submodule'] as const;
  const kind = random() < (habits.oddKinds ?? 0) ? (kinds[random.below(kinds.length)] ?? 'text') : 'text';
  const count = random() < 0.1 ? 0 : random.below(120);
  const lines = Array.from({ length: count }, () => newLine(habits, random));
  return { kind, lines, endsWithoutNewline: random() < (habits.withoutLastNewline ?? 0) };
}

function newLine(habits: HistoryHabits, random: Random): Buffer {
  const end = random() < (habits.carriageReturns ?? 0) ? '\r' : '';
  if (random() < (habits.oddLines ?? 0)) {
    if (random() < 0.1) return Buffer.from(`latin1 \xe9${end}`, 'latin1');
    return Buffer.from(`${oddLines[random.below(oddLines.length)] ?? ''}${end}`);
  }
  const text = random() < 0.5 ? plainLines[random.below(plainLines.length)] : `line ${random.below(1_000_000)}`;
  return Buffer.from(`${text ?? ''}${end}`);
}

function edit(file: File, habits: HistoryHabits, random: Random): File {
  if (random() < (habits.oddKinds ?? 0)) return { ...newFile(habits, random), lines: file.lines };
  const withoutNewline = { ...file, endsWithoutNewline: !file.endsWithoutNewline };
  if (random() < (habits.withoutLastNewline ?? 0)) return withoutNewline;
  if (random() < (habits.carriageReturns ?? 0) / 10) return { ...file, lines: file.lines.map(flipReturn) };
  const edits = 1 + random.below(4);
  let { lines } = file;
  for (let count = 0; count < edits; count += 1) {
    const inserted = Array.from({ length: random.below(5) }, () => newLine(habits, random));
    // Often the first or the last lines.
    const at = random() < 0.2 ? 0 : random() < 0.2 ? lines.length : random.below(lines.length + 1);
    lines = lines.toSpliced(at, random.below(4), ...inserted);
  }
  return { ...file, lines };
}

function flipReturn(line: Buffer): Buffer {
  return line.at(-1) === 13 ? line.subarray(0, -1) : Buffer.concat([line, Buffer.from('\r')]);
}

function toChange({ kind, lines, endsWithoutNewline }: File): FileChange {
  const newline = Buffer.from('\n');
  const text = Buffer.concat(lines.flatMap((line) => [line, newline]));
  const content = endsWithoutNewline ? text.subarray(0, -1) : text;
  if (kind === 'text') return content;
  if (kind === 'script') return { content, mode: '100755' };
  if (kind === 'binary') return Buffer.concat([Buffer.from([0]), content]);
  const mark = lines.length.toString(16).padStart(40, 'a');
  return kind === 'link' ? { content: `target/${mark}`, mode: '120000' } : { submodule: mark };
}

/** Mulberry32: small, and the same on every machine. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, { below: (count: number) => Math.floor(next() * count) });
}
