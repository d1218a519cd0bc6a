export type { ReviewEnd, ReviewModel, ReviewProgress, ReviewSettings, ReviewSubject } from './review-settings.ts';
export { runReview } from './run-review.ts';
