/**
 * One round of the sweep over one forge. Two ways, by what is known:
 *
 *   changed   from the watermark (the newest change seen, by the forge's own clock) less an overlap: at once for the whole
 *             forge where that is cheap, else project by project
 *   full      project by project, as far back as the sweep reaches, in slices that are remembered: when nothing is known,
 *             when the queue may have lost tasks (its epoch says so), and once a day
 *
 * The watermark moves only past what was really listed. Whoever repeats a round, or part of it, does no harm: the ledger
 * knows what was found before.
 */
import { DrydockError, type OpenMergeRequest } from '@drydock/core';
import type { KnownProgress, SweepProgress } from '@drydock/queue';
import type { SweepPorts, SweepSettings } from './sweep-ports.ts';
import { SweepLost, SweepWalk, type SweepRound, type SweptProject } from './sweep-walk.ts';

/** What a round came to. `projects` are those that were seen, for who looks after their webhooks. */
export interface RoundDone {
  readonly kind: 'swept' | 'unfinished' | 'rested';
  readonly calls: number;
  readonly healed: number;
  readonly unreadable: number;
  readonly projects: readonly SweptProject[];
  /** In which epoch of the queue everything was swept last; null: never. */
  readonly fullEpoch: number | null;
}

/** Changes are seen late when they are written slowly, and clocks differ. */
const overlapMs = 10 * 60_000;
const fullEveryMs = 24 * 3_600_000;
/** A project that fails for longer is found again by the next full sweep. */
const longestHoldMs = 24 * 3_600_000;
const maxFullCalls = 600;
const maxFailed = 200;

/** Throws what concerns the whole forge; what was done until then is remembered. */
export async function sweepForge(ports: SweepPorts, settings: SweepSettings, round: SweepRound): Promise<RoundDone> {
  const known = await ports.state.read(round.forge);
  const { epoch, isSweepDue } = await ports.queue.epoch();
  const nowMs = ports.clock.nowMs();
  const { progress } = known;
  const isLost = isSweepDue && progress?.fullEpoch !== epoch;
  if (progress !== null && !isLost && isRecent(progress, settings, nowMs)) {
    return { kind: 'rested', calls: 0, healed: 0, unreadable: 0, projects: [], fullEpoch: progress.fullEpoch };
  }
  const walk = new SweepWalk(ports, round);
  const forgeRound = new ForgeRound(ports, settings, walk, known, { epoch, nowMs, forge: round.forge });
  const isFullDue = progress === null || isLost || isOld(progress, nowMs);
  if (progress !== null) await forgeRound.sweepChanged(progress);
  await forgeRound.sweepFull(isFullDue);
  return forgeRound.done();
}

function isRecent({ sweptAtMs }: SweepProgress, { everyMs }: SweepSettings, nowMs: number): boolean {
  const ageMs = nowMs - sweptAtMs;
  return ageMs >= 0 && ageMs < everyMs / 2; // a clock that was set back does not stop the sweep
}

function isOld({ fullAtMs }: SweepProgress, nowMs: number): boolean {
  return fullAtMs === null || Math.abs(nowMs - fullAtMs) >= fullEveryMs;
}

class ForgeRound {
  readonly #ports: SweepPorts;
  readonly #settings: SweepSettings;
  readonly #walk: SweepWalk;
  readonly #facts: { readonly epoch: number; readonly nowMs: number; readonly forge: string };
  readonly #seen = new Map<string, SweptProject>();
  #known: KnownProgress;

  constructor(
    ports: SweepPorts,
    settings: SweepSettings,
    walk: SweepWalk,
    known: KnownProgress,
    facts: { readonly epoch: number; readonly nowMs: number; readonly forge: string },
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#walk = walk;
    this.#known = known;
    this.#facts = facts;
  }

  done(): RoundDone {
    const { calls, healed, unreadable } = this.#walk;
    const progress = this.#known.progress;
    const kind = progress?.full === null ? 'swept' : 'unfinished';
    const projects = [...this.#seen.values()];
    return { kind, calls, healed, unreadable, projects, fullEpoch: progress?.fullEpoch ?? null };
  }

  /** What changed since the watermark. */
  async sweepChanged(progress: SweepProgress): Promise<void> {
    const { nowMs } = this.#facts;
    const sinceMs = progress.watermarkMs - overlapMs;
    const canListAll = await this.#seeProjects();
    const isWhole = (canListAll && (await this.#tryAllAtOnce(sinceMs))) || (await this.#tryEach(sinceMs));
    // A forge's clock that runs ahead, or an entry with a made-up time, must not lead past what is yet to come.
    const newestMs = Math.min(this.#walk.newestMs ?? progress.watermarkMs, nowMs + overlapMs);
    const watermarkMs = Math.max(progress.watermarkMs, isWhole ? newestMs : nowMs - longestHoldMs);
    await this.#save({ ...progress, watermarkMs, sweptAtMs: nowMs });
  }

  /** Goes on with a full sweep that is under way, or begins one that is due. */
  async sweepFull(isDue: boolean): Promise<void> {
    const { epoch, nowMs } = this.#facts;
    const { progress } = this.#known;
    const underWay = progress?.full?.epoch === epoch ? progress.full : null;
    if (underWay === null && !isDue && progress?.full === null) return;
    let full = underWay ?? { startedAtMs: nowMs, epoch, cursor: null, isListed: false, failed: [], tries: 0 };
    // What changes from here on, in whatever project, is for the next round to see.
    const base = (): Omit<SweepProgress, 'full'> =>
      progress ?? {
        v: 1,
        watermarkMs: Math.min(nowMs, this.#walk.newestMs ?? nowMs),
        sweptAtMs: nowMs,
        fullAtMs: null,
        fullEpoch: null,
      };
    await this.#save({ ...base(), full });
    const limit = this.#walk.calls + maxFullCalls;
    while (!full.isListed && this.#walk.calls < limit) {
      const page = await this.#walk.projects(full.cursor);
      const failed = await this.#sweepAll(page.projects);
      full = {
        ...full,
        cursor: page.cursor,
        isListed: page.cursor === null,
        failed: [...full.failed, ...failed].slice(0, maxFailed),
      };
      await this.#save({ ...base(), full });
    }
    if (!full.isListed) return;
    if (full.failed.length > 0 && full.tries < 3 && underWay?.isListed === true) {
      full = { ...full, failed: await this.#sweepAll(full.failed), tries: full.tries + 1 };
    }
    const isOver = full.failed.length === 0 || full.tries >= 3;
    const { startedAtMs } = full;
    await this.#save(isOver ? { ...base(), full: null, fullAtMs: startedAtMs, fullEpoch: epoch } : { ...base(), full });
  }

  async #sweepAll(projects: readonly SweptProject[]): Promise<SweptProject[]> {
    const sinceMs = this.#facts.nowMs - this.#settings.reachMs;
    const failed: SweptProject[] = [];
    for (const project of projects) {
      this.#seen.set(project.projectId, project);
      if ((await this.#walk.tryProject(project, sinceMs)) === 'failed') failed.push(project);
    }
    return failed;
  }

  async #seeProjects(): Promise<boolean> {
    let cursor: string | null = null;
    let canListAll = false;
    do {
      const page = await this.#walk.projects(cursor);
      for (const project of page.projects) this.#seen.set(project.projectId, project);
      canListAll = page.canListAll;
      cursor = page.cursor;
    } while (cursor !== null);
    return canListAll;
  }

  /** The forge may find so large a question too much; then each project is asked for. */
  async #tryAllAtOnce(sinceMs: number): Promise<boolean> {
    const isWanted = ({ ref }: OpenMergeRequest) => this.#seen.has(ref.projectId);
    try {
      await this.#walk.sweepOpen(null, sinceMs, isWanted);
      return true;
    } catch (error) {
      const isTooMuch =
        error instanceof DrydockError &&
        /^forge\.(?:unavailable|timeout|rejected|bad_answer|not_found|forbidden)$/.test(error.code);
      if (!isTooMuch) throw error;
      this.#ports.log.warn({ forge: this.#facts.forge, code: error.code, err: error }, 'projects are swept one by one');
      return false;
    }
  }

  async #tryEach(sinceMs: number): Promise<boolean> {
    let isWhole = true;
    for (const project of this.#seen.values()) {
      if ((await this.#walk.tryProject(project, sinceMs)) === 'failed') isWhole = false;
    }
    return isWhole;
  }

  async #save(progress: SweepProgress): Promise<void> {
    const saved = await this.#ports.state.write(this.#facts.forge, progress, this.#known.revision);
    if (saved === null) throw new SweepLost();
    this.#known = saved;
  }
}
