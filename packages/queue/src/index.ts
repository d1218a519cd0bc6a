export type {
  EnqueueOptions,
  Enqueued,
  Extended,
  Failed,
  HeldLease,
  Interrupt,
  LeasedTask,
  QueueStats,
  TaskFailure,
  TaskFilter,
  TaskQueue,
  TaskView,
} from './task-queue.ts';
