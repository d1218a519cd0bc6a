import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A row of the matrix: what goes wrong, and what must hold then. */
export interface FaultRow {
  readonly number: number;
  readonly fault: string;
  readonly expected: string;
}

/** A test that says which rows it shows. */
export interface RowTest {
  readonly rows: readonly string[];
  readonly file: string;
  readonly name: string;
}

/** The rows that concern the queue; the others come with the parts that they break. */
export const faultRows: readonly FaultRow[] = (
  [
    [1, 'Server killed before it stored a delivery', 'no 2xx was sent; sent again or found by the sweep, it is queued'],
    [2, 'Server killed after it stored, before it answered', 'queued once; sent again it is a duplicate'],
    [3, 'Server told to end under load', 'takes nothing new, finishes what it has, ends with 0'],
    [4, 'Two servers get the same delivery at once', 'one entry'],
    [5, 'Redis killed, `appendfsync everysec`', '503 until it is back; nothing acknowledged is missing'],
    [6, 'Redis killed, `appendfsync always`', 'the same; what is acknowledged is in the file'],
    [7, 'Power cut, `everysec`', 'about the last second is missing, in whole events; sent again it is queued'],
    [8, 'AOF truncated or corrupt', 'a cut tail loads; a corrupt middle does not, and everybody says so'],
    [9, 'Redis comes back empty', 'numbers of before are refused and never given again; a full sweep is due'],
    [10, 'Failover to a replica that lags', 'lost leases run again with higher numbers; a full sweep is due'],
    [11, 'The old master lives on', 'it takes no writes; what was leased from it is worth nothing'],
    [12, 'READONLY after a failover', 'the client goes to the new master; nothing is lost or doubled'],
    [13, 'Redis full', 'events are refused with 503; what waits is worked off'],
    [14, 'Disk of Redis full', 'not ready, events are refused; what was acknowledged is kept'],
    [15, 'Redis slow', 'answered within the time limit or refused; leases are kept; nothing piles up'],
    [16, 'Redis hangs', '503 within two seconds, bounded memory; what Redis does late is harmless'],
    [17, 'Connection half open', 'noticed within three seconds, made anew'],
    [18, 'Connection reset in the middle of a script', 'sent again with the same ids: one effect'],
    [19, 'Scripts forgotten', 'taught again, unnoticed'],
    [20, 'Redis held by a foreign script', 'refused with BUSY and said; our own scripts work in batches'],
    [21, 'Something else under a key of ours', 'nothing is half written; the task is parked and reported'],
    [
      22,
      'Scheduler cut off from Redis',
      'stops by its own clock and publishes nothing; another one goes on with higher numbers',
    ],
    [26, 'Several schedulers, the same tasks', 'each task has one holder'],
    [27, 'Scheduler asleep for longer than its lease', 'notices it before it writes again'],
    [41, 'Duplicate deliveries', 'one review'],
    [42, 'Events out of order', 'the newest head is reviewed, once'],
    [43, 'Events a day late, or after the end', 'skipped, with the reason'],
    [44, 'A newer head while a review runs', 'that one is reviewed instead'],
    [45, 'Thousands of events on one merge request', 'one waiting and one running task'],
    [46, 'One project floods the queue', 'each other project has its turn after at most one of everybody'],
    [57, 'Wrong clock', 'leases are as the store says; refused signatures are counted and logged'],
    [58, 'The wall clock jumps', 'time limits hold'],
    [59, 'Nobody takes the log, or its disk is full', 'work goes on; dropped lines are counted'],
    [60, 'Two builds on one store', 'unknown fields are kept; another form is parked, not lost'],
    [61, 'A task that kills its agent each time', 'a dead letter in the end; others are served'],
    [62, 'Secrets changed', 'old and new are taken meanwhile'],
  ] as const
).map(([number, fault, expected]) => ({ number, fault, expected }));

const intro = `<!-- Generated from the names of tests by scripts/generate.ts; \`make fix\` writes it again. -->

# Faults that are tested

Each row is a fault that happens to installations, what must hold then, and the tests that show it; files named
\`*.redis.test.ts\` do so on real redis-server processes. A test names its rows itself, so the table cannot say
more than there is; a row without a test fails \`make check\`. The numbers are those of the project's fault matrix: the
missing ones concern the Kubernetes API, forges and models.

\`make test\` runs all of them; \`DRYDOCK_TEST_FULL=1 make test ARGS="faults"\` runs those at full size that are made small
for it. A full disk takes root and tmpfs, a wrong clock takes \`faketime\`; where these are missing, the tests are skipped
and say so.

With \`appendfsync everysec\` Redis acknowledges before it writes as long as the disk is still busy with the last second,
for two seconds at the most: on a slow disk, a Redis that is killed just then loses what it acknowledged. \`always\` has no
such gap.

When a foreign script holds Redis after a write (\`BUSY\`, and \`SCRIPT KILL\` answers \`UNKILLABLE\`), only
\`SHUTDOWN NOSAVE\` ends it; what was acknowledged is in the AOF and there after the restart.

`;

/** Every test under these folders whose name, or whose group's name, says which rows it shows. */
export function testsWithRows(root: string): readonly RowTest[] {
  const files = globSync('{packages/*/src,e2e}/**/*.test.ts', { cwd: root }).sort();
  return files.flatMap((file) =>
    namesWithRows(readFileSync(join(root, file), 'utf8')).map((found) => ({ ...found, file })),
  );
}

/** The names in a test file that begin with `row 5:` or `rows 5, 6:`, also as the first cell of a table of cases. */
export function namesWithRows(source: string): readonly Omit<RowTest, 'file'>[] {
  return [...source.matchAll(/(['"`])rows? ((?:[G\d]+, )*[G\d]+)(?:: ((?:(?!\1).)*))?\1/g)].flatMap(
    ([, , rows = '', name]) => {
      if (name !== undefined) return [{ rows: rows.split(', '), name: name.replace(/\$\{[^}]*\}/g, '…') }];
      // A table of cases has the row in a cell of its own; its name begins with `%s: `.
      const shared = /\]\)\(\s*'%s: ((?:(?!').)*)'/.exec(source.slice(source.indexOf(`'row ${rows}'`)))?.[1];
      return shared === undefined ? [] : [{ rows: rows.split(', '), name: shared }];
    },
  );
}

/** The page. Throws when a row has no test, or a test a row that is not in the table. */
export function faultMatrix(tests: readonly RowTest[]): string {
  const known = new Set(faultRows.map(({ number }) => String(number)));
  const strange = tests.filter(({ rows }) => rows.some((row) => !row.startsWith('G') && !known.has(row)));
  if (strange.length > 0) throw new Error(`no such row: ${strange.map(({ name }) => name).join('; ')}`);
  const rows = faultRows.map(({ number, fault, expected }) => {
    const own = tests.filter((test) => test.rows.includes(String(number)));
    if (own.length === 0) throw new Error(`no test shows row ${number}: ${fault}`);
    const shown = own.map(({ file, name }) => `\`${file}\`: ${escapeCell(name)}`).join('<br>');
    return `| ${number} | ${fault} | ${expected} | ${shown} |\n`;
  });
  return `${intro}| Row | Fault | Expected | Tests |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}
