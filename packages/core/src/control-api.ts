/**
 * What people and programs may ask of the server, with a named token as `Authorization: Bearer`. A viewer's token may
 * GET, an admin's may do all.
 *
 *   GET    /api/v1/tasks?state=&forge=&project=&iid=&limit=&cursor=    TaskQuery → TaskPage
 *   GET    /api/v1/tasks/:taskId                                  TaskDetail
 *   GET    /api/v1/tasks/:taskId/events                           EventList
 *   GET    /api/v1/tasks/:taskId/logs?attempt=&after=&waitMs=     LogQuery → LogPage
 *   POST   /api/v1/tasks/:taskId/retry                            RetryAnswer           admin
 *   POST   /api/v1/tasks/:taskId/cancel                           CancelAnswer          admin
 *   POST   /api/v1/dead-letters/retry                             DeadLetterReplay → DeadLettersReplayed   admin
 *   GET    /api/v1/projects?limit=&cursor=                        PageQuery → ProjectSummaryPage
 *   GET    /api/v1/stats                                          ControlStats
 *   GET    /api/v1/pauses                                         PauseList
 *   PUT    /api/v1/pauses                                         PauseRequest → PauseAnswer    admin
 *   DELETE /api/v1/pauses?kind=&forge=&projectId=                 PauseScope → ResumeAnswer     admin
 *   GET    /api/v1/pauses/events                                  PauseEventList
 *   GET    /api/v1/parked                                         ParkedList
 *   GET    /api/v1/openapi.json                                   this, as OpenAPI 3.1
 *
 * An unknown task is 404, and so is everything when no token is configured. Errors are a `WireError`. Requests are
 * strict: an unknown query parameter or key is refused by its name. Answers may gain fields: read only those you know.
 */
import { z } from 'zod';
import { RunId } from './control-protocol.ts';
import { ForgeId, MergeRequestRef, NumericId, Sha } from './merge-request.ts';
import { ProgressEntry } from './progress.ts';
import { ParkedItem, Pause, PauseEvent, PauseScope, TaskEvent } from './queue-control.ts';
import { TaskId, TaskKind, TaskOutcome, TaskState, Trigger } from './task.ts';

const version = z.literal(1);
const requestVersion = version.default(1);
const maxPage = 500;
/** As the OpenAPI document names them. */
const NamedEvent = TaskEvent.meta({ id: 'TaskEvent' });
const NamedPause = Pause.meta({ id: 'Pause' });
const NamedPauseEvent = PauseEvent.meta({ id: 'PauseEvent' });
const NamedParked = ParkedItem.meta({ id: 'ParkedItem' });
const NamedScope = PauseScope.meta({ id: 'PauseScope' });

/** A number in a query: digits and nothing else. */
function digits(from: number, to: number, describe: string) {
  return z
    .string()
    .regex(/^\d{1,10}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(from).max(to))
    .meta({ description: describe, parameter: { type: 'integer', minimum: from, maximum: to } });
}

/** Where the next page begins, as the page before told it; opaque. */
const PageCursor = z
  .string()
  .regex(/^[A-Za-z0-9_.:~-]{1,300}$/, 'a cursor as the page before gave it')
  .meta({ description: 'Where the next page begins: the cursor of the page before' });

/** Which projects: a glob over their paths (`shop/*`), or one by its numeric id (`gitlab:42`). */
export const ProjectPattern = z.string().min(1).max(300).meta({
  description: 'Glob over the paths of projects, such as shop/*, or one project by its id, such as gitlab:42',
});
export type ProjectPattern = z.infer<typeof ProjectPattern>;

/** How much of a list, from where. */
export const PageQuery = z.strictObject({
  limit: digits(1, maxPage, 'The most entries of a page').prefault('100'),
  cursor: PageCursor.optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** Which tasks; all that is said must hold. `state` is one or several, separated by commas. */
export const TaskQuery = z.strictObject({
  state: z
    .string()
    .max(200)
    .transform((text) => text.split(','))
    .pipe(z.array(TaskState))
    .meta({
      description: 'States, separated by commas, such as waiting,running',
      parameter: { type: 'array', minItems: 1, items: { type: 'string', enum: TaskState.options } },
    })
    .optional(),
  forge: ForgeId.meta({ description: 'Name of a forge' }).optional(),
  project: ProjectPattern.optional(),
  iid: digits(1, 2_147_483_647, 'Number of a merge request within its project').optional(),
  ...PageQuery.shape,
});
export type TaskQuery = z.infer<typeof TaskQuery>;

/** A task in a list. */
export const TaskSummary = z
  .object({
    taskId: TaskId,
    kind: TaskKind,
    subject: MergeRequestRef,
    projectPath: z.string(),
    state: TaskState,
    trigger: Trigger,
    headSha: Sha.nullable(),
    /** How often an agent was started for it, 0: never. */
    attempt: z.int().min(0),
    /** Faults so far that counted against its budget. */
    failures: z.int().min(0),
    /** An event came in while it ran: it will run once more. */
    isDirty: z.boolean(),
    queuedAtMs: z.int(),
    /** When it may start; null unless it waits. */
    readyAtMs: z.int().nullable(),
    /** How and when it ended; null while it has not. */
    outcome: TaskOutcome.nullable(),
    endedAtMs: z.int().nullable(),
    lastError: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'TaskSummary' });
export type TaskSummary = z.infer<typeof TaskSummary>;

/** Tasks, newest change first. `nowMs` is the server's time, from which ages are counted; `cursor` null: the last page. */
export const TaskPage = z
  .object({ v: version, nowMs: z.int(), tasks: z.array(TaskSummary), cursor: PageCursor.nullable() })
  .meta({ id: 'TaskPage' });
export type TaskPage = z.infer<typeof TaskPage>;

/** The newest events of a task, oldest of them first. */
export const EventList = z
  .object({ v: version, nowMs: z.int(), taskId: TaskId, events: z.array(NamedEvent) })
  .meta({ id: 'EventList' });
export type EventList = z.infer<typeof EventList>;

/** One start of an agent for a task and how it ended, told from the task's events. `ending` null: it goes on. */
export const TaskAttempt = z
  .object({
    /** 1-based. */
    attempt: z.int().min(1),
    startedAtMs: z.int(),
    endedAtMs: z.int().nullable(),
    /** In a word, as of the event that ended it: done, retrying, dead, released, cancelled, superseded, lost, … */
    ending: z.string().nullable(),
    /** What that event says beside: the error's code, or a reason; may be empty. */
    detail: z.string(),
  })
  .meta({ id: 'TaskAttempt' });
export type TaskAttempt = z.infer<typeof TaskAttempt>;

/** Why a waiting task does not run: it or all is paused, its time has not come, or (`turn`) no slot is free or others are first. */
export const WaitingReason = z
  .object({ kind: z.enum(['paused', 'delayed', 'turn']), why: z.string() })
  .meta({ id: 'WaitingReason' });
export type WaitingReason = z.infer<typeof WaitingReason>;

/** All that is known of a task. */
export const TaskDetail = z
  .object({
    v: version,
    nowMs: z.int(),
    task: TaskSummary,
    /** Null unless it waits. */
    waiting: WaitingReason.nullable(),
    attempts: z.array(TaskAttempt),
    events: z.array(NamedEvent),
  })
  .meta({ id: 'TaskDetail' });
export type TaskDetail = z.infer<typeof TaskDetail>;

/** Which attempt's log (the last unless said), after which entry, and whether to wait for it. */
export const LogQuery = z.strictObject({
  attempt: digits(1, 2 ** 22 - 1, 'The attempt, 1-based; the last one unless said').optional(),
  after: digits(0, 10 ** 9, 'Only entries with a greater number').prefault('0'),
  waitMs: digits(0, 5000, 'How long to wait for an entry when there is none, in milliseconds').prefault('0'),
});
export type LogQuery = z.infer<typeof LogQuery>;

/** What an agent did, oldest first. Ask again with the last `seq` as `after`, until `isOver`. */
export const LogPage = z
  .object({
    v: version,
    nowMs: z.int(),
    taskId: TaskId,
    attempt: z.int().min(1),
    runId: RunId,
    entries: z.array(ProgressEntry),
    /** Nothing more will come. */
    isOver: z.boolean(),
  })
  .meta({ id: 'LogPage' });
export type LogPage = z.infer<typeof LogPage>;

/** `queued`: it runs again, its faults counted anew; `running` or `waiting`: it does so already. */
export const RetryAnswer = z
  .object({ v: version, kind: z.enum(['queued', 'running', 'waiting']) })
  .meta({ id: 'RetryAnswer' });
export type RetryAnswer = z.infer<typeof RetryAnswer>;

/** `cancelled`: it waited and has ended; `cancelling`: it runs and was told to stop; `ended`: it had ended before. */
export const CancelAnswer = z
  .object({ v: version, kind: z.enum(['cancelled', 'cancelling', 'ended']) })
  .meta({ id: 'CancelAnswer' });
export type CancelAnswer = z.infer<typeof CancelAnswer>;

/** Which dead letters; all that is said must hold, and an empty filter is all of them. */
export const DeadLetterFilter = z
  .strictObject({
    forge: ForgeId.optional(),
    project: ProjectPattern.optional(),
    /** Of the last error, such as `model.unavailable`. */
    code: z.string().min(1).max(100).optional(),
    /** Ended at or after, and before. */
    endedFromMs: z.int().min(0).optional(),
    endedBeforeMs: z.int().min(0).optional(),
  })
  .meta({ id: 'DeadLetterFilter' });
export type DeadLetterFilter = z.infer<typeof DeadLetterFilter>;

/** Lets dead letters run again, a bounded step at a time: go on with the cursor of the answer until it is null. */
export const DeadLetterReplay = z
  .strictObject({
    v: requestVersion,
    filter: DeadLetterFilter,
    /** The most tasks of this step. */
    limit: z.int().min(1).max(maxPage).default(100),
    /** Only tell which. */
    isDryRun: z.boolean().default(false),
    cursor: PageCursor.nullable().default(null),
  })
  .meta({ id: 'DeadLetterReplay' });
export type DeadLetterReplay = z.infer<typeof DeadLetterReplay>;

/** Those that wait again, or would. `cursor` null: no more. A step may find none and still have a cursor. */
export const DeadLettersReplayed = z
  .object({ v: version, isDryRun: z.boolean(), retried: z.array(TaskId), cursor: PageCursor.nullable() })
  .meta({ id: 'DeadLettersReplayed' });
export type DeadLettersReplayed = z.infer<typeof DeadLettersReplayed>;

/** A project that has, or lately had, something to do. */
export const ProjectSummary = z
  .object({
    forge: ForgeId,
    projectId: NumericId,
    projectPath: z.string(),
    waiting: z.int().min(0),
    running: z.int().min(0),
    isPaused: z.boolean(),
    /** Its share beside other projects, 1 unless configured. */
    weight: z.number().positive(),
    /** The most tasks of it at once; null: no limit of its own. */
    maxRunning: z.int().min(0).nullable(),
  })
  .meta({ id: 'ProjectSummary' });
export type ProjectSummary = z.infer<typeof ProjectSummary>;

/** Projects; `cursor` null: the last page. */
export const ProjectSummaryPage = z
  .object({ v: version, projects: z.array(ProjectSummary), cursor: PageCursor.nullable() })
  .meta({ id: 'ProjectSummaryPage' });
export type ProjectSummaryPage = z.infer<typeof ProjectSummaryPage>;

/** All pauses in force. */
export const PauseList = z
  .object({ v: version, nowMs: z.int(), pauses: z.array(NamedPause) })
  .meta({ id: 'PauseList' });
export type PauseList = z.infer<typeof PauseList>;

/** The newest beginnings and ends of pauses, oldest of them first. */
export const PauseEventList = z
  .object({ v: version, nowMs: z.int(), events: z.array(NamedPauseEvent) })
  .meta({ id: 'PauseEventList' });
export type PauseEventList = z.infer<typeof PauseEventList>;

/** What no scheduler can read, newest first: at most 1,000. */
export const ParkedList = z
  .object({ v: version, nowMs: z.int(), parked: z.array(NamedParked) })
  .meta({ id: 'ParkedList' });
export type ParkedList = z.infer<typeof ParkedList>;

/** Asks for a pause. `why` is shown to whoever wonders. */
export const PauseRequest = z
  .strictObject({ v: requestVersion, scope: NamedScope, why: z.string().min(1).max(200) })
  .meta({ id: 'PauseRequest' });
export type PauseRequest = z.infer<typeof PauseRequest>;

/** `already`: it was paused before, and the first pause stays as it is. */
export const PauseAnswer = z.object({ v: version, kind: z.enum(['paused', 'already']) }).meta({ id: 'PauseAnswer' });
export type PauseAnswer = z.infer<typeof PauseAnswer>;

/** `absent`: exactly this was not paused. */
export const ResumeAnswer = z.object({ v: version, kind: z.enum(['resumed', 'absent']) }).meta({ id: 'ResumeAnswer' });
export type ResumeAnswer = z.infer<typeof ResumeAnswer>;

/** The queue in numbers. */
export const ControlStats = z
  .object({
    v: version,
    nowMs: z.int(),
    waiting: z.int().min(0),
    /** Tasks in the hands of a scheduler. */
    running: z.int().min(0),
    dead: z.int().min(0),
    /** Tasks that ended, in any way, since midnight UTC. */
    processedToday: z.int().min(0),
    /** Age of the oldest task that could start and has not. */
    oldestReadyMs: z.number().min(0),
    /** Tasks that no scheduler can read, kept for a person. */
    parked: z.int().min(0).default(0),
    /** Forges and projects under whose keys in Redis stands something else: nothing of them starts. */
    setAside: z.int().min(0).default(0),
    /** Pauses in force. */
    pauses: z.int().min(0),
    /** Where the queue lives, in a word: redis or memory. */
    store: z.string(),
    /** The server's version. */
    version: z.string(),
  })
  .meta({ id: 'ControlStats' });
export type ControlStats = z.infer<typeof ControlStats>;

/** The paths of the API; those of a task take it as it is. */
export const controlPaths = {
  tasks: '/api/v1/tasks',
  task: (taskId: TaskId) => `/api/v1/tasks/${taskId}`,
  events: (taskId: TaskId) => `/api/v1/tasks/${taskId}/events`,
  logs: (taskId: TaskId) => `/api/v1/tasks/${taskId}/logs`,
  retry: (taskId: TaskId) => `/api/v1/tasks/${taskId}/retry`,
  cancel: (taskId: TaskId) => `/api/v1/tasks/${taskId}/cancel`,
  replay: '/api/v1/dead-letters/retry',
  projects: '/api/v1/projects',
  stats: '/api/v1/stats',
  pauses: '/api/v1/pauses',
  pauseEvents: '/api/v1/pauses/events',
  parked: '/api/v1/parked',
  openApi: '/api/v1/openapi.json',
} as const;
