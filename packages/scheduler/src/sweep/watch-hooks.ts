/**
 * Looks after the webhooks that call us, a few projects a round: a forge that was refused too often stops calling, and
 * says so nowhere but there. The sweep finds what was missed meanwhile; comments it does not find.
 */
import { DrydockError, type HookReport, type Log } from '@drydock/core';
import type { SweepGateway } from './sweep-gateway.ts';
import type { SweepMetrics } from './sweep-metrics.ts';
import type { SweptProject } from './sweep-walk.ts';

interface HookPorts {
  readonly gateway: SweepGateway;
  readonly log: Log;
  readonly metrics: SweepMetrics;
}

type Hook = Extract<HookReport, { kind: 'seen' }>['hooks'][number];

const maxProjectsARound = 50;
/** An hour's: where nothing is left of the calls, one project is looked at that often. */
const roundsForOne = 12;

/** What was seen of the webhooks of one forge; forgotten with the process. */
export class HookWatch {
  readonly #ports: HookPorts;
  readonly #forge: string;
  readonly #hooks = new Map<string, readonly Hook[]>();
  #lastProjectId = 0n;
  #hasToldUnseen = false;
  #rounds = 0;

  constructor(ports: HookPorts, forge: string) {
    this.#ports = ports;
    this.#forge = forge;
  }

  /** Goes on among these projects with at most so many calls of the forge's API: each project may take two. */
  async look(projects: readonly SweptProject[], maxCalls: number, signal: AbortSignal): Promise<void> {
    const ids = new Set(projects.map(({ projectId }) => projectId));
    for (const projectId of this.#hooks.keys()) if (!ids.has(projectId)) this.#hooks.delete(projectId);
    const least = this.#rounds % roundsForOne === 0 ? 1 : 0;
    const count = Math.max(least, Math.min(Math.floor(maxCalls / 2), maxProjectsARound));
    this.#rounds += 1;
    for (const project of this.#next(projects, count)) {
      if (signal.aborted) return;
      this.#lastProjectId = BigInt(project.projectId);
      try {
        this.#take(project, await this.#ports.gateway.readHooks(this.#forge, project.projectId, signal));
      } catch (err) {
        if (!(err instanceof DrydockError)) throw err;
        // What truly stops us is told by the sweep itself.
        this.#ports.log.warn(
          { forge: this.#forge, project: project.projectPath, code: err.code, err },
          'webhooks not seen',
        );
        return;
      }
    }
    const disabled = [...this.#hooks.values()].flat().filter(({ state }) => state !== 'sending');
    this.#ports.metrics.hooksDisabled(this.#forge, disabled.length);
  }

  #next(projects: readonly SweptProject[], count: number): readonly SweptProject[] {
    const isLater = ({ projectId }: SweptProject) => BigInt(projectId) > this.#lastProjectId;
    const inTurn = [...projects].sort((left, right) => (BigInt(left.projectId) < BigInt(right.projectId) ? -1 : 1));
    return [...inTurn.filter(isLater), ...inTurn.filter((project) => !isLater(project))].slice(0, count);
  }

  #take({ projectId, projectPath }: SweptProject, report: HookReport): void {
    const { log } = this.#ports;
    const facts = { forge: this.#forge, project: projectPath, projectId };
    if (report.kind === 'unseen') {
      if (!this.#hasToldUnseen) log.info(facts, 'webhooks cannot be looked after: that takes the role of a maintainer');
      this.#hasToldUnseen = true;
      return;
    }
    const before = new Map((this.#hooks.get(projectId) ?? []).map((hook) => [hook.hookId, hook]));
    const isKnown = this.#hooks.has(projectId);
    for (const hook of report.hooks) {
      const old = before.get(hook.hookId);
      if (hook.state !== 'sending' && old?.state !== hook.state) {
        log.error({ ...facts, state: hook.state }, 'the forge has stopped a webhook: deliveries failed');
      } else if (isKnown && hook.lastFailedId !== null && hook.lastFailedId !== (old?.lastFailedId ?? null)) {
        log.warn(facts, 'deliveries of a webhook failed');
      }
    }
    this.#hooks.set(projectId, report.hooks);
  }
}
