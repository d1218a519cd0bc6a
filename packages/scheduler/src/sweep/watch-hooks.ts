/**
 * Looks after the webhooks that call us, a few projects a round: a forge that was refused too often stops calling, and
 * says so nowhere but there. The sweep finds what changed meanwhile; comments come back by having failed deliveries sent
 * again.
 */
import { DrydockError, type HookReport } from '@drydock/core';
import type { HookMemory, SweepProgress, SweepState } from '@drydock/queue';
import { healHook, isHealingDue, type HealPorts } from './heal-hook.ts';
import { SweepLost, type SweepRound, type SweptProject } from './sweep-walk.ts';

interface HookPorts extends HealPorts {
  readonly state: SweepState;
}

type Hook = Extract<HookReport, { kind: 'seen' }>['hooks'][number];

const maxProjectsARound = 50;
/** Where nothing is left of the calls, one project is looked at that often. */
const roundsForOne = 3;
/** What waits to be sent again does not wait for its project's turn. */
const maxDueARound = 10;
/** As many as GitLab takes in a minute. */
const maxResendsForProject = 5;
const maxResendsARound = 25;
const maxRememberedHooks = 1000;

/** What was seen of the webhooks of one forge; forgotten with the process. */
export class HookWatch {
  readonly #ports: HookPorts;
  readonly #forge: string;
  readonly #reachMs: number;
  readonly #hooks = new Map<string, readonly Hook[]>();
  #lastProjectId = 0n;
  #hasToldUnseen = false;
  #rounds = 0;

  constructor(ports: HookPorts, { forge, reachMs }: { readonly forge: string; readonly reachMs: number }) {
    this.#ports = ports;
    this.#forge = forge;
    this.#reachMs = reachMs;
  }

  /**
   * Goes on among these projects with at most so many calls of the forge's API: each project may take two. Beyond them go
   * the projects where something waits to be sent again, reading what failed, and sending it. Throws `SweepLost`.
   */
  async look(projects: readonly SweptProject[], maxCalls: number, round: SweepRound): Promise<void> {
    const ids = new Set(projects.map(({ projectId }) => projectId));
    for (const projectId of this.#hooks.keys()) if (!ids.has(projectId)) this.#hooks.delete(projectId);
    const least = this.#rounds % roundsForOne === 0 ? 1 : 0;
    const count = Math.max(least, Math.min(Math.floor(maxCalls / 2), maxProjectsARound));
    this.#rounds += 1;
    const inTurn = this.#next(projects, count);
    this.#lastProjectId = BigInt(inTurn.at(-1)?.projectId ?? this.#lastProjectId);
    let left = maxResendsARound;
    for (const project of new Set([...(await this.#due(projects)), ...inTurn])) {
      if (round.signal.aborted) return;
      const resends = await this.#tryLook(project, Math.min(left, maxResendsForProject), round);
      if (resends === null) return;
      left -= resends;
    }
    const disabled = [...this.#hooks.values()].flat().filter(({ state }) => state !== 'sending');
    this.#ports.metrics.hooksDisabled(this.#forge, disabled.length);
  }

  async #due(projects: readonly SweptProject[]): Promise<readonly SweptProject[]> {
    const { progress } = await this.#ports.state.read(this.#forge);
    const nowMs = this.#ports.clock.nowMs();
    const due = new Set(
      (progress?.hooks ?? []).filter((hook) => isHealingDue(hook, nowMs)).map((hook) => hook.projectId),
    );
    return projects.filter(({ projectId }) => due.has(projectId)).slice(0, maxDueARound);
  }

  /** How many deliveries were sent again; null: the forge is not asked for more now. */
  async #tryLook(project: SweptProject, maxResends: number, round: SweepRound): Promise<number | null> {
    const { gateway, log } = this.#ports;
    try {
      const report = await gateway.readHooks(this.#forge, project.projectId, round.signal);
      this.#take(project, report);
      const hooks = report.kind === 'seen' ? report.hooks : [];
      await this.#forgetOthers(project, hooks);
      return await this.#heal(project, hooks, maxResends, round);
    } catch (err) {
      if (!(err instanceof DrydockError)) throw err;
      // What truly stops us is told by the sweep itself.
      log.warn({ forge: this.#forge, project: project.projectPath, code: err.code, err }, 'webhooks not seen');
      return null;
    }
  }

  /** Webhooks that are gone, or that we may no longer look at. */
  async #forgetOthers({ projectId }: SweptProject, hooks: readonly Hook[]): Promise<void> {
    const { progress, revision } = await this.#ports.state.read(this.#forge);
    const isLeft = (memory: HookMemory) =>
      memory.projectId !== projectId || hooks.some(({ hookId }) => hookId === memory.hookId);
    if (progress?.hooks === undefined || progress.hooks.every(isLeft)) return;
    const left = { ...progress, hooks: progress.hooks.filter(isLeft) };
    if ((await this.#ports.state.write(this.#forge, left, revision)) === null) throw new SweepLost();
  }

  async #heal(
    { projectId, projectPath }: SweptProject,
    hooks: readonly Hook[],
    maxResends: number,
    { signal, keepRight }: SweepRound,
  ): Promise<number> {
    const { state } = this.#ports;
    let resends = 0;
    for (const { hookId, lastFailedId, state: hookState } of hooks) {
      const { progress, revision } = await state.read(this.#forge);
      if (progress === null) return resends; // forgotten meanwhile: the next round begins anew
      const known = progress.hooks?.find((memory) => memory.hookId === hookId) ?? null;
      const healed = await healHook(
        this.#ports,
        {
          forge: this.#forge,
          projectId,
          projectPath,
          hookId,
          isSending: hookState === 'sending',
          lastFailedId,
          reachMs: this.#reachMs,
          maxResends: maxResends - resends,
          mayGoOn: async () => !signal.aborted && (await keepRight()),
        },
        known,
        signal,
      );
      resends += healed.resends;
      const { memory } = healed;
      if (memory !== null && memory !== known) {
        const saved = await state.write(this.#forge, remember(progress, memory), revision);
        if (saved === null) throw new SweepLost();
      }
      if (healed.isLimited) break;
    }
    return resends;
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

function remember(progress: SweepProgress, memory: HookMemory): SweepProgress {
  const others = (progress.hooks ?? []).filter(({ hookId }) => hookId !== memory.hookId);
  return { ...progress, hooks: [...others, memory].slice(-maxRememberedHooks) };
}
