export { adoptedTooOften } from './adoption.ts';
export type {
  EnqueueOptions,
  Enqueued,
  Extended,
  Failed,
  HeldLease,
  Interrupt,
  LeaseLimits,
  LeaseRequest,
  LeasedTask,
  ProjectPage,
  ProjectView,
  QueueAudit,
  QueueEpoch,
  QueueStats,
  TaskFailure,
  TaskFilter,
  TaskPage,
  TaskQueue,
  TaskView,
} from './task-queue.ts';
export type { QueueSettings } from './queue-settings.ts';
export { MemoryTaskQueue, type MemoryTaskQueueOptions } from './memory-task-queue.ts';
export { connectRedisTaskQueue, type RedisTaskQueue, type RedisTaskQueueOptions } from './redis-task-queue.ts';
export { luaScript, type RedisLua } from './redis-lua.ts';
export { translateRedisError } from './redis-error.ts';
export { connectRedis, type RedisConnection, type RedisSettings } from './redis-connection.ts';
export type { HookMemory, KnownProgress, SweepLock, SweepProgress, SweepState } from './sweep-state.ts';
export { MemorySweepState } from './memory-sweep-state.ts';
export { RedisSweepState } from './redis-sweep-state.ts';
export { QueueConfig, StoreConfig, queueSettings } from './queue-config.ts';
