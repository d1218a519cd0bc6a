/**
 * Whose turn it is: start-time fair queueing over projects. Each turn costs a project `turnCost / weight` of virtual time;
 * the least start is next; virtual time is the start of what was served last. Who comes (back) starts now, or where its
 * last turn ended if that is later, so that coming and going gains nothing. Equal starts: who came first.
 */
import type { ProjectKey } from '@drydock/core';

/** The virtual time that a turn of weight 1 costs. Whole numbers stay exact for some 9 billion of them. */
const turnCost = 1_000_000;

interface Turn {
  /** Null: it waits for no turn. */
  readonly start: number | null;
  readonly finish: number;
  readonly order: number;
}

/** The reference for the scripts in `lua/`, which keep the same in Redis. */
export class FairTurns {
  #now = 0;
  #arrivals = 0;
  readonly #turns = new Map<ProjectKey, Turn>();

  /** The project wants a turn; nothing changes when it does already. */
  enter(project: ProjectKey): void {
    const turn = this.#turns.get(project);
    if (typeof turn?.start === 'number') return;
    this.#put(project, Math.max(this.#now, turn?.finish ?? 0), turn?.finish ?? 0);
  }

  /** It wants none any more, or may not have one. */
  leave(project: ProjectKey): void {
    const turn = this.#turns.get(project);
    if (turn !== undefined) this.#turns.set(project, { ...turn, start: null });
  }

  /** It had its turn; `wantsMore`: it has something left. */
  serve(project: ProjectKey, weight: number, wantsMore: boolean): void {
    this.#now = Math.max(this.#now, this.#turns.get(project)?.start ?? 0);
    const finish = this.#now + Math.floor(turnCost / weight);
    if (wantsMore) this.#put(project, finish, finish);
    else this.#turns.set(project, { start: null, finish, order: 0 });
    for (const [other, turn] of this.#turns) {
      if (turn.start === null && turn.finish <= this.#now) this.#turns.delete(other);
    }
  }

  /** Who wants a turn, the next one first. */
  inTurn(): readonly ProjectKey[] {
    return [...this.#turns]
      .flatMap(([project, { start, order }]) => (start === null ? [] : [{ project, start, order }]))
      .sort((left, right) => left.start - right.start || left.order - right.order)
      .map(({ project }) => project);
  }

  #put(project: ProjectKey, start: number, finish: number): void {
    this.#arrivals += 1;
    this.#turns.set(project, { start, finish, order: this.#arrivals });
  }
}
