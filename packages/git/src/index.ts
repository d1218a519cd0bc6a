export { readBlame, type BlameRange, type ReadBlame } from './blame.ts';
export {
  fetchCommits,
  fetchObjects,
  fetchedCommit,
  initRepository,
  listMissing,
  type FetchCommits,
  type FetchTarget,
} from './fetch-objects.ts';
export { findRepository, type FindRepository, type FoundRepository } from './find-repository.ts';
export type { GitNetwork, GitRepository, GitSetting } from './git-environment.ts';
export { listTree, type ListTree, type TreeEntry } from './list-tree.ts';
export { readLog, type LogEntry, type ReadLog } from './log.ts';
export { ObjectReader, type ObjectFacts, type ObjectName, type ReadObject, type ReadOptions } from './object-reader.ts';
export { writePrivateConfig, type PrivateConfig } from './private-config.ts';
export { listDiff, readDiff, type DiffListing, type ReadDiff } from './read-diff.ts';
export {
  makeRepositoryView,
  writeObject,
  type MakeRepositoryView,
  type ObjectFormat,
  type RepositoryView,
} from './repository-view.ts';
export { runGit, startGit, type GitAnswer, type GitCall, type GitProcess } from './run-git.ts';
export { runUserGit, type UserGitAnswer, type UserGitCall, type UserGitPlace } from './user-git.ts';
