export { GatewayConfig } from './config.ts';
export { EmbeddedGatewayConfig, gatewaySettings } from './gateway-settings.ts';
export {
  startGateway,
  type GatewayForge,
  type GatewayLocalChange,
  type GatewaySettings,
  type GatewayWorld,
  type RunningGateway,
} from './start-gateway.ts';
export { MemoryRunStore } from './runs/memory-run-store.ts';
export { RedisRunStore, type RedisRunStoreSettings } from './runs/redis-run-store.ts';
export type { RunStore, StoredRun } from './runs/run-store.ts';
export type { AnswerStore, StoredAnswer } from './model/answer-store.ts';
export { DiskAnswerStore, type DiskAnswerStoreSettings, type DiskAnswerStoreWorld } from './model/disk-answer-store.ts';
export type { ModelPrices } from './model/model-prices.ts';
export { markerKeys, type MarkerKeys } from './publish/marker.ts';
export { readOwnNotes, type OwnNotes } from './publish/own-notes.ts';
export type { PublishPorts } from './publish/publish-ports.ts';
export { publishReview } from './publish/publish-review.ts';
export { readReviewed } from './publish/read-reviewed.ts';
export type { ReviewToPublish } from './publish/review-to-publish.ts';
export { writeState } from './publish/write-state.ts';
