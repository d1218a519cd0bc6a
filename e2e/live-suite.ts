import { addUsage, noUsage, totalTokens } from '@drydock/core';
import { afterAll, describe, expect, it } from '@jest/globals';
import { findChanges, findHostileEffects } from './live-hostile.ts';
import { findPlacementProblems, findWronglyTaken } from './live-placement.ts';
import { placementChange } from './live-placement-change.ts';
import { mendedTree, plantedChange } from './live-planted-change.ts';
import {
  findAgainProblems,
  findMendedProblems,
  findReviewProblems,
  seeReview,
  type SeenReview,
} from './live-review.ts';
import type { LiveSettings } from './live-settings.ts';
import { openLiveChange, type LiveChange } from './open-live-change.ts';
import { openLive, type Live } from './open-live.ts';
import { startLiveDrydock } from './start-live-drydock.ts';

const minuteMs = 60_000;
const reviewMs = 25 * minuteMs;

/** What the steps hand on; a step whose forerunner failed says so and costs nothing. */
class Shelf<T> {
  #value: T | null = null;

  put(value: T): T {
    this.#value = value;
    return value;
  }

  get(): T {
    if (this.#value === null) throw new Error('not run: an earlier step failed');
    return this.#value;
  }
}

/**
 * The steps against one GitLab, in order. Everything that they make is removed when the last has ended, whatever failed.
 * `hasModel` false leaves out what a real model is needed for, `hasPerson` false what only a person may do.
 */
export function describeLiveSuite(
  { hasModel, hasPerson }: { readonly hasModel: boolean; readonly hasPerson: boolean },
  readSettings: () => Promise<LiveSettings>,
): void {
  const made = new AsyncDisposableStack();
  const world = new Shelf<Live>();
  const places = new Shelf<LiveChange>();
  afterAll(async () => {
    await made.disposeAsync();
  }, 5 * minuteMs);

  it(
    'finds tokens, roles and project right',
    async () => {
      const live = world.put(made.use(await openLive(await readSettings())));
      made.defer(() => {
        live.settings.say(whatItCost(live));
      });
    },
    minuteMs,
  );

  it(
    'puts a comment on every kind of place, where GitLab shows it',
    async () => {
      const change = places.put(made.use(await openLiveChange(world.get(), placementChange)));

      expect(await findPlacementProblems(world.get(), change)).toEqual([]);
    },
    5 * minuteMs,
  );

  it(
    'is refused the places that our fake GitLab refuses',
    async () => {
      expect(await findWronglyTaken(world.get(), places.get())).toEqual([]);
    },
    minuteMs,
  );

  it(
    'sets nothing off, whatever a hostile model writes',
    async () => {
      const change = made.use(await openLiveChange(world.get(), plantedChange));

      expect(await findHostileEffects(world.get(), change)).toEqual([]);
    },
    reviewMs,
  );

  if (!hasModel) return;
  describe('with the model', () => {
    describeReviews(world, made, hasPerson);
  });
}

function describeReviews(world: Shelf<Live>, made: AsyncDisposableStack, hasPerson: boolean): void {
  const stage = new Shelf<Awaited<ReturnType<typeof openReviewStage>>>();
  const first = new Shelf<SeenReview>();

  it(
    'reviews a merge request: each planted bug has its comment on its line, and there is one summary',
    async () => {
      const { live, change, drydock } = stage.put(await openReviewStage(world.get(), made));
      expect(await drydock.deliver(await change.mergeRequestBody({ action: 'open' }))).toBe('queued');
      const task = await drydock.ended(change.ref);
      const seen = await seeReview(live, change, drydock.publicationOf(task));

      expect(findReviewProblems(live, seen)).toEqual([]);
      expect(task.state).toBe('done');
      first.put(seen);
    },
    reviewMs,
  );

  it(
    'adds nothing when GitLab tells of the same head again',
    async () => {
      const { live, change, drydock } = stage.get();
      const before = first.get().discussions;

      const body = await change.mergeRequestBody({ action: 'update', oldrev: change.refs.baseSha });
      expect(await drydock.deliver(body)).toBe('queued');
      expect(await drydock.deliver(body)).toBe('duplicate');
      const task = await drydock.ended(change.ref);

      expect(task.outcome).toEqual({ kind: 'skipped', why: 'head-already-reviewed' });
      expect(await live.bot.gitlab.discussions(change.liveRef)).toEqual(before);
    },
    reviewMs,
  );

  if (hasPerson) {
    it(
      'reviews once more when a person comments "/drydock review", and repeats nothing',
      async () => {
        const { live, change, drydock } = stage.get();
        const { person } = live;
        if (person === null) throw new Error('no person');
        const { launch } = await drydock.ended(change.ref);

        const note = await person.gitlab.comment(change.liveRef, '/drydock review');
        await drydock.deliver(await change.noteBody(person, note));
        const task = await drydock.ended(change.ref, launch + 1);
        const again = await seeReview(live, change, drydock.publicationOf(task));

        expect(task.state).toBe('done');
        expect(findAgainProblems(live, first.get(), again)).toEqual([]);
      },
      reviewMs,
    );
  }

  it(
    'resolves the thread of a bug that a push mends, and follows the other one',
    async () => {
      const { live, change, drydock } = stage.get();
      const { launch } = await drydock.ended(change.ref);

      const oldrev = await change.push(mendedTree);
      await drydock.deliver(await change.mergeRequestBody({ action: 'update', oldrev }));
      const task = await drydock.ended(change.ref, launch + 1);
      const second = await seeReview(live, change, drydock.publicationOf(task));

      expect(findMendedProblems(live, first.get(), second)).toEqual([]);
    },
    reviewMs,
  );

  it(
    'has changed nothing else on the merge request',
    async () => {
      const { live, change, standing } = stage.get();

      expect(await findChanges(live, change, standing)).toEqual([]);
    },
    minuteMs,
  );
}

async function openReviewStage(live: Live, made: AsyncDisposableStack) {
  const change = made.use(await openLiveChange(live, plantedChange));
  live.settings.say(`the review is at ${change.url}`);
  const standing = await live.bot.gitlab.standing(change.liveRef);
  const drydock = made.use(await startLiveDrydock(live));
  return { live, change, standing, drydock };
}

function whatItCost({ spent }: Live): string {
  const tokens = totalTokens(spent.map((usage) => usage.tokens).reduce(addUsage, noUsage));
  const costs = spent.map((usage) => usage.costUsd);
  const cost = costs.every((each) => each !== null)
    ? `${costs.reduce((sum, each) => sum + each, 0).toFixed(4)} USD`
    : 'cost unknown (the model has no known price)';
  return `${spent.length} reviews, ${tokens.toLocaleString('en-US')} tokens, ${cost}`;
}
