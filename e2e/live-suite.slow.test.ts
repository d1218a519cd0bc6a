/** That the live suite runs, finds what it should and cleans up: nobody would notice before it costs money. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { runGit } from '@drydock/git';
import {
  reply,
  scriptedReviewer,
  startFakeClaude,
  startFakeGitLab,
  type FakeGitLab,
  type FakeGitLabOptions,
} from '@drydock/testkit';
import { findChanges } from './live-hostile.ts';
import { findPlacementProblems } from './live-placement.ts';
import { livePlaces, placementChange } from './live-placement-change.ts';
import { findReviewProblems, seeReview } from './live-review.ts';
import { plantedChange } from './live-planted-change.ts';
import { readLiveSettings } from './live-settings.ts';
import { describeLiveSuite } from './live-suite.ts';
import { openLiveChange } from './open-live-change.ts';
import { openLive } from './open-live.ts';
import { startLiveDrydock } from './start-live-drydock.ts';

const minute = 60_000;
const script = scriptedReviewer();

/** Fakes, and the environment that leads to them. */
async function startWorld(
  options: FakeGitLabOptions & { readonly withPerson?: boolean; readonly withModel?: boolean } = {},
) {
  const { withPerson = false, withModel = false, ...gitlabOptions } = options;
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'drydock-live-test-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const gitlab = stack.use(await startFakeGitLab(gitlabOptions));
  const claude = stack.use(await startFakeClaude({ apiKey: 'model-key', script }));
  const project = await gitlab.createProject({ path: 'team/scratch', files: { 'README.md': '# Scratch\n' } });
  const ada = gitlab.createUser({ username: 'ada' });
  gitlab.setRole(project, ada, 'developer');
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, gitlab.caPem ?? '');
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    DRYDOCK_GITLAB_URL: `${gitlab.url}/`,
    DRYDOCK_GITLAB_TOKEN: gitlab.token,
    DRYDOCK_LIVE_PROJECT: 'team/scratch',
    ...(gitlab.caPem === null ? {} : { DRYDOCK_CA_FILE: caFile }),
    ...(withPerson ? { DRYDOCK_LIVE_USER_TOKEN: gitlab.createToken(ada) } : {}),
    ...(withModel ? { DRYDOCK_MODEL_URL: claude.url, ANTHROPIC_API_KEY: claude.apiKey } : {}),
  };
  const kept = stack.move();
  return { gitlab, claude, project, ada, environment, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
type World = Awaited<ReturnType<typeof startWorld>>;

async function settingsOf({ environment }: World, said: string[] = []) {
  const read = readLiveSettings(environment);
  if (read.kind === 'missing') throw new Error(read.names.join());
  return await read.open((line) => said.push(line));
}

/** What the suite left behind. */
async function leftovers(gitlab: FakeGitLab) {
  const { mergeRequests, repository } = gitlab.project();
  const { stdout } = await runGit({
    repo: { gitDir: repository.dir, searchPath: process.env['PATH'] ?? '' },
    args: ['for-each-ref', '--format=%(refname)', 'refs/heads'],
    signal: AbortSignal.timeout(minute),
    timeoutMs: minute,
    maxOutputBytes: 10_000,
  });
  return {
    open: mergeRequests.filter((each) => each.state === 'opened').map((each) => each.iid),
    branches: stdout.toString().trim().split('\n'),
  };
}

describe.each([
  [
    'a person, over HTTPS with a private authority, with slow diffs',
    { withPerson: true, tls: true, diffRefsDelayMs: 300 },
  ],
  ['a bot alone', {}],
])('the live suite on the fakes: %s', (_, options) => {
  const said: string[] = [];
  let world: World | null = null;
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  describe('its steps', () => {
    describeLiveSuite({ hasModel: true, hasPerson: 'withPerson' in options }, async () => {
      world = await startWorld({ ...options, withModel: true });
      return await settingsOf(world, said);
    });
  });

  it('has cleaned up, has set nothing off, and says what it cost', async () => {
    if (world === null) throw new Error('it did not start');
    const { gitlab } = world;

    expect(gitlab.project().mergeRequests).toHaveLength(3);
    expect(await leftovers(gitlab)).toEqual({ open: [], branches: ['refs/heads/main'] });
    expect(gitlab.effects).toEqual([]);
    expect(said.at(-1)).toMatch(/^[23] reviews, [1-9][\d,]+ tokens, 0\.\d+ USD$/);
    expect(said.join('\n')).not.toMatch(/glpat-|model-key/);
  });
});

describe('the live suite', () => {
  it('names what it is not given, and takes an empty setting for none', () => {
    const empty = { DRYDOCK_GITLAB_URL: 'https://gitlab.example.com', DRYDOCK_GITLAB_TOKEN: '' };

    expect(readLiveSettings(empty)).toEqual({
      kind: 'missing',
      names: ['DRYDOCK_GITLAB_TOKEN', 'DRYDOCK_LIVE_PROJECT'],
    });
  });

  it('goes without a model and without a person', async () => {
    await using world = await startWorld();

    expect(readLiveSettings(world.environment)).toMatchObject({ hasModel: false, hasPerson: false });
    await using live = await openLive(await settingsOf(world));
    expect(live.author).toBe(live.bot);
  });

  it('says what is wrong with project, token and role', async () => {
    await using world = await startWorld({ withPerson: true });
    const { gitlab, project, ada, environment } = world;
    const messageWith = async (changes: Record<string, string>) => {
      const settings = await settingsOf({ ...world, environment: { ...environment, ...changes } });
      return await openLive(settings).then(String, String);
    };

    expect(await messageWith({ DRYDOCK_LIVE_PROJECT: 'team/none' })).toMatch(/team\/none.*is it a member/);
    expect(await messageWith({ DRYDOCK_GITLAB_TOKEN: 'glpat-wrong' })).toMatch(/refuses the token \(401\)/);
    expect(await messageWith({ DRYDOCK_LIVE_USER_TOKEN: gitlab.token })).toMatch(/of the bot itself/);
    gitlab.setRole(project, ada, 'reporter');
    expect(await messageWith({})).toMatch(/ada \(DRYDOCK_LIVE_USER_TOKEN\).*must be Developer/);
  });

  it.each([
    ['opening is answered with an error', { method: 'POST', path: /\/merge_requests$/ }],
    ['the second commit fails', { method: 'POST', path: /\/repository\/commits$/, nth: 2 }],
  ])('leaves nothing behind when %s', async (_, match) => {
    await using world = await startWorld();
    const { gitlab } = world;
    await using live = await openLive(await settingsOf(world));
    gitlab.faults.add({ match, mode: 'execute-then-fail', status: 502 });

    await expect(openLiveChange(live, plantedChange)).rejects.toThrow(/answered 502 to POST/);

    expect(await leftovers(gitlab)).toEqual({ open: [], branches: ['refs/heads/main'] });
  });

  it('notices what a comment must never change', async () => {
    await using world = await startWorld();
    await using live = await openLive(await settingsOf(world));
    await using change = await openLiveChange(live, plantedChange);
    const before = await live.bot.gitlab.standing(change.liveRef);

    await world.gitlab.comment(world.ada, change.ref.iid, '/title Taken over\n/approve');

    expect(await findChanges(live, change, before)).toEqual([
      expect.stringMatching(/^title was .* and is "Taken over"$/),
      expect.stringMatching(/^approvedBy was \[\] and is \[\{.*"ada"/),
    ]);
  });

  it('asks no comments on files of a GitLab that is too old for them', async () => {
    await using world = await startWorld({ version: '16.3.9-ee' });
    await using live = await openLive(await settingsOf(world));
    await using change = await openLiveChange(live, placementChange);

    expect(await findPlacementProblems(live, change)).toEqual([]);
    expect(world.gitlab.discussions(change.ref.iid)).toHaveLength(
      livePlaces.filter((place) => place.kind === 'inline').length,
    );
  });

  it(
    'says so when the model finds nothing',
    async () => {
      await using world = await startWorld({ withModel: true });
      world.claude.setScript(() => reply.toolUse('finish_review', { summary: 'Fine.' }));
      await using live = await openLive(await settingsOf(world));
      await using change = await openLiveChange(live, plantedChange);
      await using drydock = await startLiveDrydock(live);
      await drydock.deliver(await change.mergeRequestBody({ action: 'open' }));

      const task = await drydock.ended(change.ref);
      const seen = await seeReview(live, change, drydock.publicationOf(task));

      expect(findReviewProblems(live, seen)).toEqual([
        'the review is partial, not done',
        expect.stringMatching(/SQL injection has no comment .*found nothing/),
        expect.stringMatching(/off-by-one .* has no comment/),
      ]);
    },
    minute,
  );
});
