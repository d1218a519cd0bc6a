export { unreachable } from './unreachable.ts';
export { systemClock, type Clock } from './clock.ts';
export {
  BlockedError,
  ConfigError,
  DrydockError,
  StaleError,
  TerminalError,
  ToolError,
  TransientError,
  type ErrorCode,
} from './errors.ts';
export { CrashPoint, crashAt, type ReachPoint } from './crash-point.ts';
export { nextDelayMs, type RetryPolicy } from './retry.ts';
export { Secret, SecretList, SecretText } from './secret.ts';
export { TextList, environmentName, readConfig } from './env.ts';
export { pinoLog, silentLog, type Log, type LogFacts } from './log.ts';
export { parseCommand } from './command.ts';
export { anyGlob, compileGlob, matchesGlob, readGlob, type PathMatcher } from './path-glob.ts';
export { globsOverlap, type Glob } from './glob-overlap.ts';
export { projectAllowList, type ProjectAllowList } from './project-allow-list.ts';
export {
  DiffRefs,
  ForgeId,
  ForgeUser,
  MergeRequest,
  MergeRequestRef,
  NumericId,
  ReviewedState,
  Role,
  Sha,
  hasRole,
} from './merge-request.ts';
export {
  Command,
  TaskId,
  TaskKind,
  TaskOutcome,
  TaskRequest,
  TaskState,
  Trigger,
  priorityOf,
  taskIdOf,
} from './task.ts';
export {
  ParkedItem,
  Pause,
  PauseEvent,
  PauseScope,
  ProjectKey,
  ProjectShare,
  TaskEvent,
  attemptOf,
  numbersPerEpoch,
  projectKeyOf,
} from './queue-control.ts';
export { Category, Finding, RepoPath, Severity, Side, compareSeverity } from './finding.ts';
export { codeHash, containsCode, findingIdentity, normaliseCode, type FindingPlace } from './finding-identity.ts';
export { RepositoryConfig, ReviewPolicy, Verdict, narrowPolicy, verdictOf } from './policy.ts';
export { RunUsage, TokenUsage, addUsage, noUsage, totalTokens } from './usage.ts';
export { AgentResult, FailedResult, NotRead, ReviewResult } from './agent-result.ts';
export { ProgressEntry, ProgressEvent, ProgressReport } from './progress.ts';
export {
  EarlierFinding,
  ExchangeRequest,
  Guideline,
  PreflightReport,
  ProbeOutcome,
  ResultStored,
  RunToken,
  TaskContext,
  agentRoutes,
  modelErrorHeaders,
} from './agent-protocol.ts';
export { Publication, PublishedComment, ReviewState } from './publication.ts';
export { ReportedFinding, ReviewReport } from './review-report.ts';
export {
  FailedDeliveryPage,
  HookReport,
  Member,
  OpenMergeRequest,
  OpenMergeRequestPage,
  ProgressPage,
  ProjectPage,
  ResendReport,
  RunGrant,
  RunId,
  RunRequest,
  RunView,
  RunsOver,
  RunsQuery,
  StateRequest,
  StateWritten,
  longestStartSeconds,
  runIdOf,
} from './control-protocol.ts';
export {
  CancelAnswer,
  ControlStats,
  DeadLetterFilter,
  DeadLetterReplay,
  DeadLettersReplayed,
  EventList,
  LogPage,
  LogQuery,
  PageQuery,
  ParkedList,
  PauseAnswer,
  PauseEventList,
  PauseList,
  PauseRequest,
  ProjectPattern,
  ProjectSummary,
  ProjectSummaryPage,
  ResumeAnswer,
  RetryAnswer,
  TaskAttempt,
  TaskDetail,
  TaskPage,
  TaskQuery,
  TaskSummary,
  WaitingReason,
  controlPaths,
} from './control-api.ts';
export { WireError, fromWireError, toWireError } from './wire-error.ts';
export { dropHiddenCharacters, hasHiddenCharacters, showHiddenCharacters } from './markdown/hidden-characters.ts';
export { codeSpan, neutraliseLine, neutraliseText, quotedCode, tableCell } from './markdown/neutralise.ts';
export { parseRawDiff, type RawDiffEntry } from './diff/raw-diff.ts';
export { parseUnifiedDiff } from './diff/unified-diff.ts';
export { countLines, rowAt, rowsOf, type DiffPoint, type DiffRow, type FileDiff, type Hunk } from './diff/file-diff.ts';
export {
  findFileDiff,
  placeLines,
  widenPlacement,
  type LineClaim,
  type LineCounts,
  type NotInline,
  type Placement,
} from './diff/diff-position.ts';
