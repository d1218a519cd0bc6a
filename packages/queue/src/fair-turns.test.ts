import { describe, expect, it } from '@jest/globals';
import type { ProjectKey } from '@drydock/core';
import fc from 'fast-check';
import { FairTurns } from './fair-turns.ts';

const runs = 2_000;

/** Projects with waiting tasks and weights, served one turn after the other. */
class Dock {
  readonly turns = new FairTurns();
  readonly waiting = new Map<ProjectKey, number>();
  readonly served: ProjectKey[] = [];
  readonly #weight: (project: ProjectKey) => number;

  constructor(weight: (project: ProjectKey) => number = () => 1) {
    this.#weight = weight;
  }

  add(project: ProjectKey, tasks: number): void {
    this.waiting.set(project, (this.waiting.get(project) ?? 0) + tasks);
    if (tasks > 0) this.turns.enter(project);
  }

  serve(): ProjectKey | null {
    const [project] = this.turns.inTurn();
    if (project === undefined) return null;
    const left = (this.waiting.get(project) ?? 0) - 1;
    this.waiting.set(project, left);
    this.turns.serve(project, this.#weight(project), left > 0);
    this.served.push(project);
    return project;
  }
}

const names = ['a:1', 'a:2', 'b:1', 'b:2', 'c:1'] as const;
const arrival = fc.record({ project: fc.constantFrom(...names), tasks: fc.integer({ min: 1, max: 20 }) });
const history = fc.array(fc.oneof(arrival, fc.constant(null)), { maxLength: 60 });

function live(steps: readonly ({ readonly project: ProjectKey; readonly tasks: number } | null)[], dock: Dock): void {
  for (const step of steps) {
    if (step === null) dock.serve();
    else dock.add(step.project, step.tasks);
  }
}

describe('FairTurns', () => {
  it('serves a project within as many turns as projects wait, whatever came before and comes meanwhile', () => {
    fc.assert(
      fc.property(history, history, fc.constantFrom(...names), (before, meanwhile, mine) => {
        const dock = new Dock();
        live(before, dock);
        dock.add(mine, 1);
        const waited: ProjectKey[] = [];
        for (let i = 0; waited.at(-1) !== mine; i += 1) {
          const step = meanwhile[i] ?? null;
          if (step !== null) dock.add(step.project, step.tasks);
          waited.push(dock.serve() ?? mine);
        }

        expect(waited.length).toBeLessThanOrEqual(new Set(waited).size);
      }),
      { numRuns: runs },
    );
  });

  it('gives those that always have something what their weights say, within one turn', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 1, max: 300 }),
        (weights, count) => {
          const weightOf = (project: ProjectKey) => weights[names.findIndex((name) => name === project)] ?? 1;
          const dock = new Dock(weightOf);
          const some = names.slice(0, weights.length);
          for (const project of some) dock.add(project, 1_000);
          for (let i = 0; i < count; i += 1) dock.serve();

          const shares = some.map(
            (project) => dock.served.filter((other) => other === project).length / weightOf(project),
          );
          for (const [i, mine] of shares.entries()) {
            for (const [j, other] of shares.entries()) {
              const turn = 1 / (weights[i] ?? 1) + 1 / (weights[j] ?? 1);
              expect(Math.abs(mine - other)).toBeLessThanOrEqual(turn + 0.001);
            }
          }
        },
      ),
      { numRuns: runs },
    );
  });

  it('lets nobody gain by coming and going', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 20, maxLength: 200 }), (comesNow) => {
        const dock = new Dock();
        dock.add('a:1', 1_000);
        for (const comes of comesNow) {
          if (comes && (dock.waiting.get('b:1') ?? 0) === 0) dock.add('b:1', 1);
          dock.serve();
        }

        const its = dock.served.filter((project) => project === 'b:1').length;
        expect(its).toBeLessThanOrEqual(Math.ceil(dock.served.length / 2));
      }),
      { numRuns: runs },
    );
  });

  it('does not let one that was held back catch up', () => {
    const dock = new Dock();
    dock.add('a:1', 100);
    dock.add('b:1', 100);
    dock.serve();
    dock.turns.leave('b:1');
    for (let i = 0; i < 30; i += 1) dock.serve();
    dock.turns.enter('b:1');
    const before = dock.served.length;
    for (let i = 0; i < 10; i += 1) dock.serve();

    expect(dock.served.slice(before).filter((project) => project === 'b:1').length).toBeLessThanOrEqual(6);
  });
});
