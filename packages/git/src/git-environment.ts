/**
 * What git may see and do. Nothing of the machine, the user or the repository changes how it runs: the environment is
 * built from nothing, and settings that run a program or reach a host are overridden from a scope that no file outranks.
 *
 * Attributes of a repository could hide a change (`-diff`) or rewrite content. Git looks for them in a work tree and
 * an index, so it gets neither; `attr.tree` names a tree that does not resolve, which newer versions take for empty.
 */

/** A repository on this machine. */
export interface GitRepository {
  /** The folder with `objects` and `refs`: a bare repository, or the `.git` of a checkout. Absolute. */
  readonly gitDir: string;
  /** Where the git binary is looked for, in the manner of PATH. */
  readonly searchPath: string;
}

/** How git may reach another host. */
export interface GitNetwork {
  /** Fetches go here; the name must not hold credentials. */
  readonly url: string;
  /** A git configuration file with what must not be seen in arguments, such as `http.extraHeader`; null: none. */
  readonly configFile: string | null;
  /** A PEM file of additional authorities; null: the system's. */
  readonly caFile?: string | null;
  readonly httpProxy?: string | null;
  readonly httpsProxy?: string | null;
  readonly noProxy?: string | null;
  /** Allows `file://`: for tests and for repositories of this machine. Default: http and https only. */
  readonly allowFile?: boolean;
}

/** A git setting and its value. */
export type GitSetting = readonly [name: string, value: string];

interface EnvironmentOptions {
  readonly searchPath: string;
  readonly repo: GitRepository | null;
  readonly network: GitNetwork | null;
  readonly settings: readonly GitSetting[];
  /** The value of `Git-Protocol` that a client sent, for serving it; null: none. */
  readonly protocol: string | null;
}

/** Resolves to no tree in any repository, so that no attributes apply. */
const noTree = 'refs/drydock/no-attributes';

const fixedSettings: readonly GitSetting[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.alternateRefsCommand', ''],
  ['core.sshCommand', 'false'],
  ['core.autocrlf', 'false'],
  ['core.protectHFS', 'true'],
  ['core.protectNTFS', 'true'],
  ['core.useReplaceRefs', 'false'],
  ['attr.tree', noTree],
  ['credential.helper', ''],
  ['diff.suppressBlankEmpty', 'false'],
  ['diff.indentHeuristic', 'true'],
  ['fetch.fsckObjects', 'false'],
  ['fetch.parallel', '1'],
  ['fetch.prune', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['fetch.unpackLimit', '1'],
  ['fetch.writeCommitGraph', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  // A redirect would carry the header of the private file to another host.
  ['http.followRedirects', 'false'],
  ['http.sslVerify', 'true'],
  ['http.saveCookies', 'false'],
  ['i18n.logOutputEncoding', 'UTF-8'],
  ['log.mailmap', 'false'],
  ['log.showSignature', 'false'],
  ['protocol.allow', 'never'],
  ['protocol.version', '2'],
  ['submodule.recurse', 'false'],
  ['transfer.bundleURI', 'false'],
  ['transfer.credentialsInUrl', 'die'],
];

/** Git asks nobody, shows objects as they are, fetches none behind our back, and takes paths for nothing but paths. */
export const quietVariables = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '',
  GIT_EDITOR: 'false',
  GIT_PAGER: 'cat',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_OPTIONAL_LOCKS: '0',
};

/** The whole environment of a git process. */
export function gitEnvironment(options: EnvironmentOptions): Record<string, string> {
  const { searchPath, repo, network, protocol } = options;
  const settings = [
    ...fixedSettings,
    ...(repo === null ? [] : [['safe.directory', repo.gitDir] as const]),
    ...options.settings,
  ];
  return {
    PATH: searchPath,
    LC_ALL: 'C',
    HOME: '/nonexistent', // Also curl's .netrc.
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: network?.configFile ?? '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    ...quietVariables,
    GIT_PROTOCOL_FROM_USER: '0',
    // Also what a missing object of a partial clone would be fetched with behind our back.
    GIT_ALLOW_PROTOCOL: network === null ? 'none' : network.allowFile === true ? 'http:https:file' : 'http:https',
    ...(repo === null ? {} : repositoryVariables(repo)),
    ...(network === null ? {} : networkVariables(network)),
    ...(protocol === null ? {} : { GIT_PROTOCOL: protocol }),
    ...settingVariables(settings),
  };
}

function repositoryVariables({ gitDir }: GitRepository): Record<string, string> {
  return {
    GIT_DIR: gitDir,
    GIT_IMPLICIT_WORK_TREE: '0',
    GIT_INDEX_FILE: `${gitDir}/drydock-no-index`,
  };
}

function networkVariables(network: GitNetwork): Record<string, string> {
  // Curl reads the first one in lower case only: in upper case it may be a client's `Proxy` header.
  return {
    ...named('http_proxy', network.httpProxy),
    ...named('https_proxy', network.httpsProxy),
    ...named('no_proxy', network.noProxy),
    ...named('GIT_SSL_CAINFO', network.caFile),
  };
}

function named(name: string, value: string | null | undefined): Record<string, string> {
  return value === null || value === undefined ? {} : { [name]: value };
}

/** Settings that go over those of all files, as variables. */
export function settingVariables(settings: readonly GitSetting[]): Record<string, string> {
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  for (const [index, [name, value]] of settings.entries()) {
    variables[`GIT_CONFIG_KEY_${index}`] = name;
    variables[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return variables;
}
