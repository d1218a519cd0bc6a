/**
 * How often a task is taken over in one run to go on with it: what kills each scheduler that touches it must end. Who
 * takes it over after that only tells on the merge request that it ends, and ends it.
 */
export const mostAdoptions = 5;

/** When that kills, too, it ends here, told in the queue alone. */
export const adoptionsInAll = mostAdoptions + 3;

/** How a task ends whose last holder vanished, too. */
export const adoptedTooOften = {
  code: 'run.adopted_too_often',
  message: `its schedulers vanished more than ${String(mostAdoptions)} times in a row`,
};
