import { afterEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@drydock/core';
import type { AgentLaunch, Launcher } from './launcher.ts';

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
  /** What is left of runs: folders, objects. */
  leftovers(): Promise<readonly string[]>;
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

  function aLaunch(changes: Partial<AgentLaunch> = {}): AgentLaunch {
    const token = new Secret('run-token-canary-0123456789');
    return { runId: '0123456789abcdef-1', token, deadlineSeconds: 60, ...changes };
  }

  const never = new AbortController().signal;

  describe('what an agent is given', () => {
    it('is its token in a file that only it can read, and nothing of what we know', async () => {
      const { launcher, given } = await start({ kind: 'exits', code: 0 });

      await launcher.run(aLaunch(), never);

      const [found] = await given();
      expect(found).toMatchObject({ token: 'run-token-canary-0123456789', tokenFileMode: 0o400 });
      expect(found?.environmentNames.filter((name) => !environmentNames.includes(name))).toEqual([]);
      expect(found?.surroundings).not.toContain('canary');
    });

    it('is a folder and a token of its own, also when several run at once, or the same run is begun again', async () => {
      const { launcher, given, leftovers } = await start({ kind: 'exits', code: 0 });
      const first = aLaunch({ runId: '0123456789abcdef-1', token: new Secret('first-token-0123456789') });
      const second = aLaunch({ runId: '0123456789abcdef-2', token: new Secret('second-token-0123456789') });

      await Promise.all([launcher.run(first, never), launcher.run(second, never)]);
      await launcher.run(first, never);

      const found = await given();
      expect(found.map(({ token }) => token).sort()).toEqual([
        'first-token-0123456789',
        'first-token-0123456789',
        'second-token-0123456789',
      ]);
      expect(new Set(found.map(({ folder }) => folder)).size).toBe(3);
      expect(await leftovers()).toEqual([]);
    });
  });

  describe('the end of an agent', () => {
    it.each([0, 7])('is told with its exit code %d, and nothing is left', async (code) => {
      const { launcher, isAnythingAlive, leftovers } = await start({ kind: 'exits', code });

      expect(await launcher.run(aLaunch(), never)).toMatchObject({ kind: 'exited', code, signal: null });

      expect(await isAnythingAlive()).toBe(false);
      expect(await leftovers()).toEqual([]);
    });

    it('is the end of its children', async () => {
      const { launcher, isAnythingAlive, leftovers } = await start({ kind: 'leaves-a-child' });

      expect(await launcher.run(aLaunch(), never)).toMatchObject({ kind: 'exited', code: 0 });

      expect(await isAnythingAlive()).toBe(false);
      expect(await leftovers()).toEqual([]);
    });

    it.each<AgentBehaviour>([{ kind: 'obeys' }, { kind: 'ignores' }])(
      'comes at its deadline for one that $kind',
      async (behaviour) => {
        const { launcher, isAnythingAlive, leftovers } = await start(behaviour);

        expect(await launcher.run(aLaunch({ deadlineSeconds: 1 }), never)).toEqual({ kind: 'timed-out' });

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
      const first = launcher.run(aLaunch({ runId: '0123456789abcdef-1' }), stopFirst.signal);
      const second = launcher.run(aLaunch({ runId: '0123456789abcdef-2' }), stopSecond.signal);
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

  it('reports an agent that cannot be started as a fault that may pass, and leaves nothing', async () => {
    const { launcher, leftovers } = await start(null);

    await expect(launcher.run(aLaunch(), never)).rejects.toMatchObject({ kind: 'transient', code: 'run.crashed' });

    expect(await leftovers()).toEqual([]);
  });
}
