export { buildDemoRepository } from './demo/build-demo-repository.ts';
export type { DemoRepository } from './demo/build-demo-repository.ts';
export type { DemoFiles } from './demo/demo-files.ts';
export { demoProject } from './demo/demo-project.ts';
export type { DemoCommit, DemoProject, PlantedBug } from './demo/demo-project.ts';
export { claudeFault } from './fakes/claude/claude-fault.ts';
export type { ClaudeFault } from './fakes/claude/claude-fault.ts';
export type { FakeClaudeModel } from './fakes/claude/claude-models.ts';
export { inOrder, reply, toolUse } from './fakes/claude/claude-reply.ts';
export type { ClaudeReply, ClaudeReplyBlock, ClaudeScript, ClaudeScriptPlace } from './fakes/claude/claude-reply.ts';
export { blocksOf } from './fakes/claude/claude-request.ts';
export type { ClaudeContentBlock, ClaudeMessage, ClaudeRequest } from './fakes/claude/claude-request.ts';
export type { ClaudeUsage } from './fakes/claude/claude-usage.ts';
export { scriptedReviewer } from './fakes/claude/reviewer/scripted-reviewer.ts';
export { startFakeClaude, startInstantClaude } from './fakes/claude/start-fake-claude.ts';
export type { ClaudeCall, FakeClaude, FakeClaudeOptions } from './fakes/claude/start-fake-claude.ts';
export { gitDiffOutput, type GitDiffOptions, type GitDiffOutput } from './repositories/git-diff-output.ts';
export {
  aGitRepository,
  type CommitPlan,
  type FileChange,
  type FileChanges,
  type GitRepositoryFixture,
} from './repositories/git-repository.ts';
export { goldenText } from './golden.ts';
export { startKubeFaultProxy, type KubeFaultProxy, type KubeFaultProxyOptions } from './faults/kube-fault-proxy.ts';
export type { KubeFault, KubeProxyRequest, KubeWatchChange } from './faults/kube-fault.ts';
export { mountSmallDisk, whyNoSmallDisk, type SmallDisk } from './faults/small-disk.ts';
export { skewedClock, whyNoSkewedClock, type SkewedClock } from './faults/skewed-clock.ts';
export { startTcpFaultProxy, type TcpFaultProxy, type TcpFaultProxyOptions } from './faults/tcp-fault-proxy.ts';
export type { TcpDirection, TcpToxic, TcpToxicEffect } from './faults/tcp-toxic.ts';
export { startRedisServer, whyNoRedisServer } from './redis-server.ts';
export type { RedisServer, RedisServerOptions } from './redis-server.ts';
export { ManualClock } from './manual-clock.ts';
export { startProcess, type StartedProcess } from './start-process.ts';
export { checkPosition } from './fakes/gitlab/check-position.ts';
export type { DiffPosition, PositionCheck, PositionRangeEnd, PositionRefs } from './fakes/gitlab/check-position.ts';
export type { FakeGitLab, NewProject, NewUser, NewWebhook } from './fakes/gitlab/fake-gitlab.ts';
export type { GitLabFault } from './fakes/gitlab/fault-list.ts';
export type { GitLabCommit, GitLabFileChange, GitLabFileChanges } from './fakes/gitlab/git-repository.ts';
export type {
  GitLabCommitStatus,
  GitLabDiscussion,
  GitLabEffect,
  GitLabMergeRequest,
  GitLabNote,
  GitLabProject,
  GitLabRole,
  GitLabUser,
  GitLabWebhook,
} from './fakes/gitlab/gitlab-state.ts';
export type { RequestLogEntry } from './fakes/gitlab/http-server.ts';
export {
  extractByMarkdown,
  extractByRegExp,
  extractQuickActions,
  quickActionNames,
} from './fakes/gitlab/quick-actions.ts';
export type { ExtractedQuickActions, QuickAction } from './fakes/gitlab/quick-actions.ts';
export { startFakeGitLab } from './fakes/gitlab/start-fake-gitlab.ts';
export type { FakeGitLabOptions } from './fakes/gitlab/start-fake-gitlab.ts';
export { lineCode, loadVersionDiff } from './fakes/gitlab/version-diff.ts';
export type { DiffFile, DiffRow, VersionDiff } from './fakes/gitlab/version-diff.ts';
export { mergeRequestHook, noteHook, pushHook } from './fakes/gitlab/webhook-payloads.ts';
export type {
  HookBody,
  HookCommit,
  HookMergeRequest,
  HookNote,
  HookProject,
  HookUser,
} from './fakes/gitlab/webhook-payloads.ts';
export type { WebhookDelivery } from './fakes/gitlab/webhook-sender.ts';
export { fillWithHistory, type HistoryHabits } from './repositories/random-history.ts';
