import type { AgentExit, AgentLaunch, Launcher } from '../launchers/launcher.ts';

/** An agent that ended well. */
export const exitedWell: AgentExit = { kind: 'exited', code: 0, signal: null, lastWords: '' };

/** Starts agents that tests end by hand; an aborted one ends at once. */
export class HandLauncher implements Launcher {
  readonly credential = 'grant';
  readonly outlivesUs = false;
  readonly agents: { readonly launch: AgentLaunch; end: (exit: AgentExit) => void }[] = [];
  running = 0;
  mostAtOnce = 0;

  run(launch: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    if (signal.aborted) return Promise.resolve({ kind: 'aborted' });
    this.running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    const { promise, resolve } = Promise.withResolvers<AgentExit>();
    signal.addEventListener('abort', () => {
      resolve({ kind: 'aborted' });
    });
    this.agents.push({ launch, end: resolve });
    launch.onBegun?.();
    return promise.finally(() => {
      this.running -= 1;
    });
  }

  adopt(): Promise<null> {
    return Promise.resolve(null);
  }

  isAtWork(): boolean {
    return false;
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }
}
