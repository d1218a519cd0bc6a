import { LeaveAgent, type AgentExit, type AgentLaunch, type Launcher } from '../launchers/launcher.ts';
import { exitedWell } from './hand-launcher.ts';

interface Agent {
  readonly runId: string;
  isAlive: boolean;
  /** Told when it ends, by whoever follows it now. */
  onEnd: (exit: AgentExit) => void;
}

/** Agents that go on when their scheduler stops; tests end them by hand. One launcher stands for those of all schedulers. */
export class OutlivingLauncher implements Launcher {
  readonly credential = 'exchange';
  readonly outlivesUs = true;
  readonly agents: Agent[] = [];
  /** Errors of looking for an agent, next first. */
  readonly faults: Error[] = [];
  mostAlive = 0;

  get alive(): readonly string[] {
    return this.agents.filter(({ isAlive }) => isAlive).map(({ runId }) => runId);
  }

  run({ runId }: AgentLaunch, signal: AbortSignal): Promise<AgentExit> {
    const agent: Agent = { runId, isAlive: true, onEnd: () => undefined };
    this.agents.push(agent);
    this.mostAlive = Math.max(this.mostAlive, this.alive.length);
    return this.#follow(agent, signal);
  }

  async adopt(runId: string, signal: AbortSignal): Promise<AgentExit | null> {
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
    const agent = this.agents.find((one) => one.runId === runId && one.isAlive);
    return agent === undefined ? null : await this.#follow(agent, signal);
  }

  isAtWork(runId: string): boolean {
    return this.alive.includes(runId);
  }

  async forget(runId: string): Promise<void> {
    for (const agent of this.agents) if (agent.runId === runId) agent.isAlive = false;
  }

  /** An agent ends by itself. */
  end(runId: string, exit: AgentExit = exitedWell): void {
    for (const agent of this.agents.filter((one) => one.runId === runId)) {
      agent.isAlive = false;
      agent.onEnd(exit);
    }
  }

  #follow(agent: Agent, signal: AbortSignal): Promise<AgentExit> {
    const { promise, resolve } = Promise.withResolvers<AgentExit>();
    agent.onEnd = resolve;
    const onAbort = () => {
      const isLeft = signal.reason instanceof LeaveAgent;
      if (!isLeft) agent.isAlive = false;
      resolve({ kind: isLeft ? 'left' : 'aborted' });
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return promise;
  }
}
