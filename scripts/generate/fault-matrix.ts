import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A fault: what goes wrong, and what must hold then. */
export interface FaultRow {
  /** `5`: of the matrix; `R17`: reported by users of other systems. */
  readonly id: string;
  readonly fault: string;
  readonly expected: string;
}

/** A test that says which faults it shows. */
export interface RowTest {
  readonly rows: readonly string[];
  readonly file: string;
  readonly name: string;
}

/** The rows that concern the queue and the Kubernetes API; those of forges and models come with their parts. */
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
    [23, 'Scheduler killed between lease and Job', 'leased again when the lease is over; one Job for a launch'],
    [24, 'Scheduler killed after the Job was made', 'another one adopts the Job by its name'],
    [
      25,
      'Scheduler killed after the end, before its record',
      'the result that is kept is published; nothing is paid twice',
    ],
    [26, 'Several schedulers, the same tasks', 'each task has one holder'],
    [27, 'Scheduler asleep for longer than its lease', 'notices it before it writes again'],
    [28, 'Kubernetes API away', 'the task waits, uncounted, and goes on when it is back'],
    [29, 'Kubernetes API answers 429, 500, or 504 after it did the thing', 'waits as told; looks before it asks again'],
    [30, 'A foreign object has the name of a Job', 'left alone: the next name is taken, and it is said'],
    [31, 'Quota used up, Job refused', 'waits for room, uncounted; a refusal is an end that is seen'],
    [32, 'Watch cut, too old, or silent about events', 'lists again and ends with the truth'],
    [33, 'Token or CA of the ServiceAccount changed', 'read again'],
    [34, 'Pod waits for a node or an image', 'has a limit; an end that says why'],
    [35, 'Pod out of memory', 'told apart and said'],
    [36, 'Pod evicted, drained, preempted', 'begun again, uncounted, with a bound'],
    [37, 'Node lost with a pod on it', 'the pod is fenced off and begun again elsewhere'],
    [38, 'Deadline of a run', 'it ends, by two clocks, and says so'],
    [39, 'Kubernetes starts a second pod of a Job', 'only one of them gets a token'],
    [40, 'Job deleted before its end was seen', 'the result decides; without one it is begun again'],
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
).map(([number, fault, expected]) => ({ id: String(number), fault, expected }));

/** What users of similar systems reported, as far as it may happen to a scheduler and its cluster. */
export const reportedRows: readonly FaultRow[] = (
  [
    [1, 'A run stays running after its pod was deleted or drained away', 'it ends or begins again within 30 s'],
    [2, 'Out of memory, and the pod looks healthy', 'told apart, of each container'],
    [3, 'Work that fails for good keeps its places', 'every place is free again'],
    [4, 'A quota that is used up is taken for a failure', 'waits, uncounted'],
    [5, 'The kubelet refuses a pod, which is waited for', 'begun again'],
    [6, 'Work waits long after it could begin', 'a wake-up that is lost heals at the next look'],
    [7, 'A place is held long after the work is done', 'an agent that goes on after its result is ended'],
    [8, 'An unclean end keeps the next start from working', 'it starts clean'],
    [9, 'Hundreds at once overwhelm the controller', 'never more than its places, in a fixed number of calls'],
    [10, 'Calls use up what the forge allows', 'so many a review, one a comment; who is told to wait waits, with all'],
    [11, 'A deadline that is not kept', 'two clocks keep it'],
    [12, 'The manager dies and all jobs with it', 'nothing is lost or doubled wherever it is killed'],
    [13, 'Evicted after it had succeeded, taken for a failure', 'the result that is kept decides'],
    [14, 'Success, although the stream was cut', 'only a result is one'],
    [15, 'Agents that freeze', 'ended at their deadline; the place is free'],
    [16, 'Pods that end or wait for ever', 'taken away by force once they are fenced off'],
    [17, 'Timeouts and leader changes of the API server', 'asked again; one Job'],
    [18, 'Places that leak', 'what is held is the truth after any order of events'],
    [19, 'Throttled lists', 'all calls wait as told'],
    [20, 'An image that cannot be pulled, for ever', 'a limit, and an end that needs no other pod'],
    [21, 'Live work reaped', 'what somebody works on is left alone'],
    [22, 'Work without a pod cannot be cancelled', 'cancelled in each state'],
    [23, 'What was done is forgotten with its Job, and done again', 'the ledger outlives the Job'],
    [24, 'A stale cache makes a pod twice', 'adopted; what is gone does not come back'],
    [25, 'Pods reaped that were seconds old', 'nothing young is reaped'],
    [26, 'Races of state changes', 'the truth, whatever the order'],
    [27, 'Throttling starves the lease of the leader', 'its calls have a lane of their own'],
    [28, 'Two webhooks tell of one event', 'one task'],
    [29, 'A second pod, or a name that is made again', 'one pod of a Job; a name is never used again'],
    [30, 'Work runs again once its Job is forgotten', 'the event is known longer than the Job'],
    [31, 'Thousands of finished Jobs', 'only so many are kept'],
    [32, 'Finished work reaped that somebody still reads', 'reaped only with the proof of the ledger'],
    [33, 'A failed list is taken for an empty cluster', 'nothing begins beyond the places'],
    [34, 'Phase and container states disagree for a while', 'both orders mean the same'],
    [35, 'A delivery is taken for known although nothing came of it', 'killed between its steps, it is queued once'],
    [36, 'A rolling update runs things twice', 'handed over and gone on with'],
    [37, 'Each replica knows only its own deliveries; lost ones stay lost', 'known to all; the sweep finds the others'],
    [38, 'Deliveries out of order', 'the newest head is reviewed'],
    [39, 'The forge switches a webhook off', 'said once; what failed is sent again'],
    [40, 'An old leader goes on working', 'who was frozen writes nothing'],
    [41, 'Resets and proxies between us and the API server', 'looked up, asked again, or done already'],
    [42, 'A watch that stops without a word', 'renewed; paused for longer and longer'],
    [43, 'Events missed after a throttled list', 'found by the audit and counted'],
    [44, 'A sidecar keeps a Job alive', 'the result ends it, not its pod'],
    [45, 'Names longer than Kubernetes takes', 'any task has one that fits'],
  ] as const
).map(([number, fault, expected]) => ({ id: `R${String(number)}`, fault, expected }));

const intro = `<!-- Generated from the names of tests by scripts/generate.ts; \`make fix\` writes it again. -->

# Faults that are tested

Each row is a fault that happens to installations, what must hold then, and the tests that show it; files named
\`*.redis.test.ts\` do so on real redis-server processes. A test names its rows itself, so the table cannot say
more than there is; a row without a test fails \`make check\`. The numbers are those of the project's fault matrix: the
missing ones concern forges and models. Those named \`*.control-plane.test.ts\` run on a real API server, those named
\`*.cluster.test.ts\` on a real node with real pods. R marks what users of similar systems have reported.

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

const list = String.raw`G?\d+(?:(?:, | and | to )G?\d+)*`;
const mark = `(?:(?:faults )?rows? ${list}|reported ${list})`;
const marked = new RegExp(String.raw`(['"\`])(${mark}(?:, ${mark})*)(?:: ((?:(?!\1).)*))?\1`, 'g');

/**
 * The names in a test file that begin with `row 5:`, `rows 5, 6:` or `reported 17:`, also as the first cell of a table of
 * cases.
 */
export function namesWithRows(source: string): readonly Omit<RowTest, 'file'>[] {
  return [...source.matchAll(marked)].flatMap(([, , marks = '', name]) => {
    const rows = rowsOf(marks);
    if (name !== undefined) return [{ rows, name: name.replace(/\$\{[^}]*\}/g, '…') }];
    // A table of cases has the row in a cell of its own; its name begins with `%s: `.
    const shared = /\]\)\(\s*'%s: ((?:(?!').)*)'/.exec(source.slice(source.indexOf(`'${marks}'`)))?.[1];
    return shared === undefined ? [] : [{ rows, name: shared }];
  });
}

/** `rows 23 to 25, reported 12` is 23, 24, 25 and R12. */
function rowsOf(marks: string): string[] {
  return [...marks.matchAll(new RegExp(mark, 'g'))].flatMap(([text]) => {
    const sign = text.startsWith('reported') ? 'R' : '';
    return [...text.matchAll(/(G?)(\d+)(?: to (\d+))?/g)].flatMap(([, goal, first, last = first]) =>
      Array.from({ length: Number(last) - Number(first) + 1 }, (_, n) => `${goal || sign}${String(Number(first) + n)}`),
    );
  });
}

/** The page. Throws when a row has no test, or a test a row that is not in the tables. */
export function faultMatrix(tests: readonly RowTest[]): string {
  const known = new Set([...faultRows, ...reportedRows].map(({ id }) => id));
  const strange = tests.filter(({ rows }) => rows.some((row) => !row.startsWith('G') && !known.has(row)));
  if (strange.length > 0) throw new Error(`no such row: ${strange.map(({ name }) => name).join('; ')}`);
  return `${intro}${table(faultRows, tests)}\n## Reported by users of similar systems\n\n${table(reportedRows, tests)}`;
}

function table(faults: readonly FaultRow[], tests: readonly RowTest[]): string {
  const rows = faults.map(({ id, fault, expected }) => {
    const own = tests.filter((test) => test.rows.includes(id));
    if (own.length === 0) throw new Error(`no test shows row ${id}: ${fault}`);
    const shown = own.map(({ file, name }) => `\`${file}\`: ${escapeCell(name)}`).join('<br>');
    return `| ${id} | ${fault} | ${expected} | ${shown} |\n`;
  });
  return `| Row | Fault | Expected | Tests |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}
