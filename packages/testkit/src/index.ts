export { claudeFault } from './fakes/claude/claude-fault.ts';
export type { ClaudeFault } from './fakes/claude/claude-fault.ts';
export { defaultClaudeModels } from './fakes/claude/claude-models.ts';
export type { FakeClaudeModel } from './fakes/claude/claude-models.ts';
export { inOrder, reply, toolUse } from './fakes/claude/claude-reply.ts';
export type { ClaudeReply, ClaudeReplyBlock, ClaudeScript, ClaudeScriptPlace } from './fakes/claude/claude-reply.ts';
export { blocksOf, systemTextOf } from './fakes/claude/claude-request.ts';
export type { ClaudeContentBlock, ClaudeMessage, ClaudeRequest, ClaudeTool } from './fakes/claude/claude-request.ts';
export type { ClaudeUsage } from './fakes/claude/claude-usage.ts';
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
export { startRedisServer, whyNoRedisServer } from './redis-server.ts';
export type { RedisServer, RedisServerOptions } from './redis-server.ts';
export { ManualClock } from './manual-clock.ts';
