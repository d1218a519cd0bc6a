/**
 * Git in somebody's own checkout, as they run it: their settings say which branch follows which and what filters apply.
 * What would run a program at a moment of git's choosing (hooks, a file monitor, a credential helper) or reach a host
 * is overridden, and nothing is written to the repository unless a command is told to.
 *
 * Commands are rather run on a view (`makeRepositoryView`) wherever those settings are not wanted.
 */
import { quietVariables, settingVariables, type GitSetting } from './git-environment.ts';
import { redactGitText } from './git-error.ts';
import { collectOutput, launchGit } from './run-git.ts';

/** Where a command of the user is run. */
export interface UserGitPlace {
  readonly cwd: string;
  /** Where the git binary is looked for, in the manner of PATH. */
  readonly searchPath: string;
  /** The user's variables; only those that git's settings and repository depend on are taken. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One command. */
export interface UserGitCall {
  readonly place: UserGitPlace;
  readonly args: readonly string[];
  /** Set last: where the index and new objects go. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly settings?: readonly GitSetting[];
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
}

/** What a command answered; any exit code is an answer. */
export interface UserGitAnswer {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** On one line, without credentials and control characters. */
  readonly said: string;
}

/** Whose settings, and which repository. `SUDO_UID` lets git trust the folders of who called sudo. */
const takenVariables = [
  ...['HOME', 'XDG_CONFIG_HOME', 'SUDO_UID'],
  ...['GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM', 'GIT_CONFIG_NOSYSTEM', 'GIT_ATTR_NOSYSTEM'],
  ...['GIT_DIR', 'GIT_WORK_TREE', 'GIT_COMMON_DIR', 'GIT_INDEX_FILE'],
  ...['GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES'],
  ...['GIT_CEILING_DIRECTORIES', 'GIT_DISCOVERY_ACROSS_FILESYSTEM'],
] as const;

const settings: readonly GitSetting[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.alternateRefsCommand', ''],
  ['core.sshCommand', 'false'],
  ['core.useReplaceRefs', 'false'],
  // Its shared part is written to the repository, whatever index is named.
  ['core.splitIndex', 'false'],
  // Line ends that cannot be restored are no reason to refuse a review.
  ['core.safecrlf', 'false'],
  ['core.fsync', 'none'],
  ['core.looseCompression', '1'],
  ['credential.helper', ''],
  ['diff.ignoreSubmodules', 'dirty'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['protocol.allow', 'never'],
  ['submodule.recurse', 'false'],
];

/** Runs git to its end. Throws `git.timeout`, `git.output_too_large`, `aborted`, `config.invalid` without a git binary. */
export async function runUserGit(call: UserGitCall, signal: AbortSignal): Promise<UserGitAnswer> {
  const { place, args, timeoutMs, maxOutputBytes } = call;
  const { cwd, searchPath } = place;
  await using git = launchGit({ args, cwd, env: environmentOf(call), searchPath, signal, timeoutMs, exitCodes: null });
  git.stdin.end();
  const stdout = await collectOutput(git, args[0] ?? '', maxOutputBytes);
  return { exitCode: await git.ended, stdout, said: redactGitText(await git.said) };
}

function environmentOf({ place, variables = {}, settings: more = [] }: UserGitCall): Record<string, string> {
  const taken = takenVariables.flatMap((name) => {
    const value = place.environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    PATH: place.searchPath,
    LC_ALL: 'C',
    ...Object.fromEntries(taken),
    ...quietVariables,
    GIT_GRAFT_FILE: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'none',
    ...variables,
    ...settingVariables([...settings, ...more]),
  };
}
