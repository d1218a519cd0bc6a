export type { ReviewEnd, ReviewModel, ReviewProgress, ReviewSettings, ReviewSubject } from './review-settings.ts';
export { runReview, type ReviewPorts } from './run-review.ts';
