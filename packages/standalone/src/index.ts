export { StandaloneConfig } from './config.ts';
export { DemoConfig } from './demo/demo-config.ts';
export type { DemoReport } from './demo/demo-report.ts';
export { runDemo, type DemoIo } from './demo/run-demo.ts';
export { runDev, type DevIo } from './run-dev.ts';
export type {
  ReviewEnd,
  ReviewModel,
  ReviewProgress,
  ReviewSettings,
  ReviewSubject,
} from './review/review-settings.ts';
export { runReview, type ReviewPorts } from './review/run-review.ts';
export { startStandalone, type Standalone, type StandaloneSettings } from './start-standalone.ts';
