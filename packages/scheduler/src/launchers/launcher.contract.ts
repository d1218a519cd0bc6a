import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import { LeaveAgent, type AgentExit, type AgentLaunch, type Launcher } from './launcher.ts';

/**
 * What an agent does in these tests:
 *
 *   exits           at once, with a code
 *   obeys           works until it is asked to end, and ends
 *   ignores         works and ends at no polite word, and has a child that does neither
 *   leaves-a-child  exits at once, while a child of it goes on
 */
export type AgentBehaviour =
  { readonly kind: 'exits'; readonly code: number } | { readonly kind: 'obeys' | 'ignores' | 'leaves-a-child' };

/** What an agent found when it started. */
export interface GivenToAgent {
  /** Everything that it can read of its environment and arguments, as one text. */
  readonly surroundings: string;
  readonly environmentNames: readonly string[];
  readonly token: string;
  readonly tokenFileMode: number;
  /** Its own folder to work in, by a name that no other run has. */
  readonly folder: string;
}

/** A launcher whose agents all behave alike, and a view of what they do. */
export interface LauncherUnderTest extends AsyncDisposable {
  readonly launcher: Launcher;
  /** Resolves when so many agents (and children of theirs) are at work. */
  atWork(count: number): Promise<void>;
  /** Whether anything that was started still does something. */
  isAnythingAlive(): Promise<boolean>;
  /** What each agent found, in the order of their starts. */
  given(): Promise<readonly GivenToAgent[]>;
  /** What is left of runs: folders, objects; of runs that were forgotten, if agents outlive their scheduler. */
  leftovers(): Promise<readonly string[]>;
  /** The token that the agent of a run gets in exchange; absent: the one of its launch. */
  exchangedToken?(runId: string): string;
  /** As another scheduler that has come since. Absent: agents end with theirs. */
  readonly successor?: Launcher;
}

/** Makes a launcher for a test; `null`: one whose agents cannot be started at all. */
export type MakeLauncher = (behaviour: AgentBehaviour | null) => Promise<LauncherUnderTest>;

/**
 * The suite that every launcher passes. `environmentNames`: all that an agent may be given. Who registers it plants texts
 * with the word `canary` wherever a launcher could find them: its own environment, arguments, files.
 */
export function launcherContract(makeLauncher: MakeLauncher, environmentNames: readonly string[]): void {
  let stage: LauncherUnderTest | null = null;
  afterEach(async () => {
    await stage?.[Symbol.asyncDispose]();
    stage = null;
  });

  async function start(behaviour: AgentBehaviour | null): Promise<LauncherUnderTest> {
    stage = await makeLauncher(behaviour);
    return stage;
  }

  /** A run that nobody has heard of: where agents outlive us, a name is never used again. */
  function aLaunch(changes: Partial<AgentLaunch> = {}): AgentLaunch {
    const token = stage?.launcher.credential === 'exchange' ? null : new Secret('run-token-canary-0123456789');
    return { runId: `${randomBytes(8).toString('hex')}-1`, token, deadlineSeconds: 60, ...changes };
  }

  /** Runs it and records its end, as far as a launcher is told of that. */
  async function runAndForget(launch: AgentLaunch, signal: AbortSignal = never): Promise<AgentExit> {
    if (stage === null) throw new Error('there is no launcher');
    const exit = await stage.launcher.run(launch, signal);
    await stage.launcher.forget(launch.runId, () => Infinity);
    return exit;
  }

  const never = new AbortController().signal;

  describe('what an agent is given', () => {
    it('is its token in a file that only it can read, and nothing of what we know', async () => {
      const { given, exchangedToken } = await start({ kind: 'exits', code: 0 });
      const launch = aLaunch();

      await runAndForget(launch);

      const [found] = await given();
      const token = exchangedToken?.(launch.runId) ?? launch.token?.reveal();
      expect(found).toMatchObject({ token, tokenFileMode: 0o400 });
      expect(found?.environmentNames.filter((name) => !environmentNames.includes(name))).toEqual([]);
      expect(found?.surroundings).not.toContain('canary');
    });

    it('is a folder and a token of its own, also when several run at once, or the same run is begun again', async () => {
      const { launcher, given, leftovers, exchangedToken } = await start({ kind: 'exits', code: 0 });
      const isGranted = launcher.credential === 'grant';
      const [first, second] = ['first-token-0123456789', 'second-token-0123456789'].map((token) =>
        aLaunch(isGranted ? { token: new Secret(token) } : {}),
      );
      if (first === undefined || second === undefined) throw new Error('two launches');

      await Promise.all([runAndForget(first), runAndForget(second)]);
      if (!launcher.outlivesUs) await runAndForget(first);

      const found = await given();
      const begun = launcher.outlivesUs ? [first, second] : [first, first, second];
      const tokenOf = ({ runId, token }: AgentLaunch) => exchangedToken?.(runId) ?? token?.reveal();
      expect(found.map(({ token }) => token).sort()).toEqual(begun.map(tokenOf).sort());
      expect(new Set(found.map(({ folder }) => folder)).size).toBe(begun.length);
      expect(await leftovers()).toEqual([]);
    });
  });

  describe('the end of an agent', () => {
    it.each([0, 7])('is told with its exit code %d, and nothing is left', async (code) => {
      const { isAnythingAlive, leftovers } = await start({ kind: 'exits', code });

      expect(await runAndForget(aLaunch())).toMatchObject({ kind: 'exited', code, signal: null });

      expect(await isAnythingAlive()).toBe(false);
      expect(await leftovers()).toEqual([]);
    });

    it('is the end of its children', async () => {
      const { isAnythingAlive, leftovers } = await start({ kind: 'leaves-a-child' });

      expect(await runAndForget(aLaunch())).toMatchObject({ kind: 'exited', code: 0 });

      expect(await isAnythingAlive()).toBe(false);
      expect(await leftovers()).toEqual([]);
    });

    it.each<AgentBehaviour>([{ kind: 'obeys' }, { kind: 'ignores' }])(
      'comes at its deadline for one that $kind',
      async (behaviour) => {
        const { isAnythingAlive, leftovers } = await start(behaviour);

        expect(await runAndForget(aLaunch({ deadlineSeconds: 1 }))).toEqual({ kind: 'timed-out' });

        expect(await isAnythingAlive()).toBe(false);
        expect(await leftovers()).toEqual([]);
      },
    );

    it.each<AgentBehaviour>([{ kind: 'obeys' }, { kind: 'ignores' }])(
      'comes when its work is no longer wanted, for one that $kind',
      async (behaviour) => {
        const { launcher, atWork, isAnythingAlive, leftovers } = await start(behaviour);
        const stop = new AbortController();
        const running = launcher.run(aLaunch(), stop.signal);
        await atWork(1);

        stop.abort();

        expect(await running).toEqual({ kind: 'aborted' });
        expect(await isAnythingAlive()).toBe(false);
        expect(await leftovers()).toEqual([]);
      },
    );

    it('of one is not the end of another', async () => {
      const { launcher, atWork, isAnythingAlive } = await start({ kind: 'obeys' });
      const [stopFirst, stopSecond] = [new AbortController(), new AbortController()];
      const first = launcher.run(aLaunch(), stopFirst.signal);
      const second = launcher.run(aLaunch(), stopSecond.signal);
      await atWork(2);

      stopFirst.abort();
      await first;
      expect(await isAnythingAlive()).toBe(true);

      stopSecond.abort();
      await second;
      expect(await isAnythingAlive()).toBe(false);
    });
  });

  it('starts nothing when the work is unwanted from the start', async () => {
    const { launcher, given, leftovers } = await start({ kind: 'exits', code: 0 });

    expect(await launcher.run(aLaunch(), AbortSignal.abort())).toEqual({ kind: 'aborted' });

    expect(await given()).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });

  it('reports an agent that cannot be started, and leaves nothing', async () => {
    const { launcher, leftovers } = await start(null);
    const launch = aLaunch();

    const told = await launcher.run(launch, never).catch((error: unknown) => error);

    await launcher.forget(launch.runId, () => Infinity);
    // On this machine it may work the next time; a cluster says what a person has to mend.
    if (launcher.outlivesUs) expect(told).toMatchObject({ kind: 'failed', class: 'config' });
    else expect(told).toMatchObject({ kind: 'transient', code: 'run.crashed' });
    expect(await leftovers()).toEqual([]);
  });

  describe('an agent that is left', () => {
    it('goes on where it outlives us, and is adopted; else it ends, and there is nothing to adopt', async () => {
      const { launcher, successor, atWork, isAnythingAlive, leftovers } = await start({ kind: 'obeys' });
      const launch = aLaunch();
      const leave = new AbortController();
      const running = launcher.run(launch, leave.signal);
      await atWork(1);

      leave.abort(new LeaveAgent());

      expect((await running).kind).toBe(launcher.outlivesUs ? 'left' : 'aborted');
      expect(await isAnythingAlive()).toBe(launcher.outlivesUs);
      const stop = new AbortController();
      const adopted = (successor ?? launcher).adopt(launch.runId, stop.signal, () => Infinity);
      stop.abort();
      expect(await adopted).toEqual(launcher.outlivesUs ? { kind: 'aborted' } : null);
      await launcher.forget(launch.runId, () => Infinity);
      expect(await isAnythingAlive()).toBe(false);
      expect(await leftovers()).toEqual([]);
    });

    it('is none where nothing was begun', async () => {
      const { launcher } = await start({ kind: 'obeys' });

      expect(await launcher.adopt(aLaunch().runId, never, () => Infinity)).toBeNull();
    });
  });
}
