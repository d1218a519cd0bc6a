import { hasRole, systemClock, type DiffRefs, type MergeRequestRef, type RunUsage } from '@drydock/core';
import { createForge, type Forge } from '@drydock/forge';
import { LiveGitLab } from './live-gitlab.ts';
import type { LiveSettings } from './live-settings.ts';

/** A GitLab that is ready for the live suite. Dispose of it: all connections end. */
export interface Live extends AsyncDisposable {
  readonly settings: LiveSettings;
  /** Such as `18.5.0-ee`. */
  readonly version: string;
  readonly instanceUrl: string;
  readonly project: { readonly id: number; readonly path: string; readonly defaultBranch: string };
  /** Our own adapter, as the gateway uses it. */
  readonly forge: Forge;
  readonly bot: LiveAccount;
  readonly person: LiveAccount | null;
  /** Who commits, opens and closes: the person, or else the bot. */
  readonly author: LiveAccount;
  /** What each review by the configured model has used. */
  readonly spent: RunUsage[];
}

/** Someone who is signed in. */
export interface LiveAccount {
  readonly user: { readonly id: number; readonly username: string; readonly name: string };
  readonly gitlab: LiveGitLab;
}

/** For a call that the test's own time limit ends. */
export const noSignal = new AbortController().signal;
const firstPollMs = 100;
const longestPollMs = 2000;
const preparedWithinMs = 3 * 60_000;

/** Connects, and checks tokens, roles and project; what is not right is said in words for people. */
export async function openLive(settings: LiveSettings): Promise<Live> {
  await using stack = new AsyncDisposableStack();
  const { forges, proxy, caPem } = settings.gateway;
  const [forgeSettings] = forges;
  if (forgeSettings === undefined) throw new Error('no forge is configured');
  const { baseUrl } = forgeSettings;
  const forge = createForge({ ...forgeSettings, proxy, caPem, clock: systemClock });
  stack.defer(() => forge.close());
  await forge.self(noSignal); // its errors say what to do about a wrong token, address or certificate

  const signIn = async (token: typeof forgeSettings.token): Promise<LiveAccount> => {
    const gitlab = new LiveGitLab({ baseUrl, token, proxy, caPem });
    stack.defer(() => gitlab.close());
    return { gitlab, user: await gitlab.self() };
  };
  const bot = await signIn(forgeSettings.token);
  const person = settings.userToken === null ? null : await signIn(settings.userToken);
  if (person?.user.id === bot.user.id) throw new Error('DRYDOCK_LIVE_USER_TOKEN is a token of the bot itself');

  const project = await readProject(bot, settings.project);
  await checkRole(forge, project.id, bot, 'DRYDOCK_GITLAB_TOKEN');
  if (person !== null) await checkRole(forge, project.id, person, 'DRYDOCK_LIVE_USER_TOKEN');
  const version = await bot.gitlab.version();
  settings.say(
    `GitLab ${version}, project ${project.path}, bot ${bot.user.username}, ` +
      (person === null ? 'who also plays the author (no DRYDOCK_LIVE_USER_TOKEN)' : `author ${person.user.username}`),
  );
  const kept = stack.move();
  return {
    settings,
    version,
    instanceUrl: baseUrl.replace(/\/+$/, ''),
    project,
    forge,
    bot,
    person,
    author: person ?? bot,
    spent: [],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function readProject({ gitlab, user }: LiveAccount, name: string): Promise<Live['project']> {
  const found = await gitlab.project(name).catch((cause: unknown) => {
    const hint = `the project "${name}" (DRYDOCK_LIVE_PROJECT) cannot be read by ${user.username}: is it a member?`;
    throw new Error(hint, { cause });
  });
  if (found.default_branch === null || found.default_branch === undefined)
    throw new Error(`the project "${name}" (DRYDOCK_LIVE_PROJECT) is empty: give it a first commit`);
  return { id: found.id, path: found.path_with_namespace, defaultBranch: found.default_branch };
}

async function checkRole(forge: Forge, projectId: number, { user }: LiveAccount, setting: string): Promise<void> {
  const { role } = await forge.readRole(String(projectId), String(user.id), noSignal);
  if (!hasRole(role, 'developer'))
    throw new Error(`${user.username} (${setting}) has the role "${role}" in the project: it must be Developer`);
}

/** Waits until GitLab has prepared the diff of this head: some seconds after a push, longer on a busy instance. */
export async function waitUntilPrepared({ forge }: Live, ref: MergeRequestRef, headSha: string): Promise<DiffRefs> {
  return await poll(preparedWithinMs, `GitLab did not prepare the diff of ${headSha}`, async () => {
    const head = await forge.readHead(ref, noSignal);
    return head.headSha === headSha ? head.diffRefs : null;
  });
}

/** Asks again and again, at first often, until there is an answer. */
export async function poll<T>(withinMs: number, problem: string, ask: () => Promise<T | null>): Promise<T> {
  const endMs = systemClock.monotonicMs() + withinMs;
  for (let delayMs = firstPollMs; ; delayMs = Math.min(longestPollMs, delayMs * 2)) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (systemClock.monotonicMs() > endMs) throw new Error(`${problem} within ${withinMs / 1000} seconds`);
    await systemClock.sleep(delayMs, noSignal);
  }
}
