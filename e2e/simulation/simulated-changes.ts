import {
  parseRawDiff,
  parseUnifiedDiff,
  type FileDiff,
  type Finding,
  type ReviewResult,
  type Sha,
} from '@drydock/core';

/** What a head of a simulated merge request holds: a new file with some bugs. */
export interface SimulatedChange {
  readonly diff: readonly FileDiff[];
  readonly lines: readonly string[];
  readonly findings: readonly Finding[];
}

const path = 'src/rows.ts';
const bugLine = (bug: number) =>
  `  for (let i = 0; i <= rows${String(bug)}.length; i += 1) use(rows${String(bug)}[i]);`;

/** So many kinds of heads there are; the third time the first comes again, as after a revert. */
const bugsOf = [
  [1, 2, 3],
  [2, 3],
  [1, 4, 5, 6],
] as const;
const changes = bugsOf.map((bugs) => changeWith(bugs));

/** The name of the nth head of a merge request, from 0. */
export function headSha(iid: number, nth: number): Sha {
  return `${iid.toString(16).padStart(8, '0')}${nth.toString(16).padStart(32, '0')}`;
}

/** What a head holds. */
export function changeAt(sha: Sha): SimulatedChange {
  const change = changes[Number.parseInt(sha.slice(8), 16) % changes.length];
  if (change === undefined) throw new Error('no such change');
  return change;
}

/** What an agent that does its work hands in. */
export function resultFor(sha: Sha): ReviewResult {
  return {
    kind: 'review',
    headSha: sha,
    partial: null,
    partialCode: null,
    summary: 'Loops.',
    findings: [...changeAt(sha).findings],
    changedFiles: 1,
    notRead: [],
    turns: 3,
    stagesMs: {},
  };
}

function changeWith(bugs: readonly number[]): SimulatedChange {
  const lines = bugs.flatMap((bug) => [`export function use${String(bug)}() {`, bugLine(bug), '}']);
  const patch = [
    `diff --git a/${path} b/${path}`,
    'new file mode 100644',
    `index ${'0'.repeat(40)}..${'1'.repeat(40)}`,
    '--- /dev/null',
    `+++ b/${path}`,
    `@@ -0,0 +1,${String(lines.length)} @@`,
    ...lines.map((line) => `+${line}`),
    '',
  ].join('\n');
  const raw = `:000000 100644 ${'0'.repeat(40)} ${'1'.repeat(40)} A\0${path}\0`;
  const findings = bugs.map((bug, index): Finding => {
    const line = 3 * index + 2;
    return {
      path,
      side: 'new',
      startLine: line,
      endLine: line,
      severity: 'high',
      category: 'correctness',
      confidence: 1,
      title: `One past the end of rows${String(bug)}`,
      reason: 'The last round reads what is not there.',
      quotedCode: bugLine(bug),
      suggestion: null,
      source: { kind: 'model' },
    };
  });
  return { diff: parseUnifiedDiff(Buffer.from(patch), parseRawDiff(Buffer.from(raw))), lines, findings };
}
