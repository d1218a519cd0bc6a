export { GatewayConfig } from './config.ts';
export { gatewaySettings } from './gateway-settings.ts';
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
export type { RunStore } from './runs/run-store.ts';
export type { AnswerStore, StoredAnswer } from './model/answer-store.ts';
export { DiskAnswerStore, type DiskAnswerStoreSettings, type DiskAnswerStoreWorld } from './model/disk-answer-store.ts';
export type { ModelPrices } from './model/model-prices.ts';
