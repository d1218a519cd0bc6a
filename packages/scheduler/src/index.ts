export type { Gateway } from './gateway.ts';
export { HttpGateway, type HttpGatewaySettings } from './http-gateway.ts';
export type { AgentExit, AgentLaunch, Launcher } from './launchers/launcher.ts';
export { compileAgent, type CompiledAgent, type CompileSettings } from './launchers/compile-agent.ts';
export { LocalLauncher, type LocalLauncherSettings } from './launchers/local-launcher.ts';
export type { LeaseLoopSettings } from './lease-loop.ts';
export { createSchedulerMetrics, type SchedulerMetrics } from './metrics.ts';
export type { TaskPorts } from './run-task.ts';
export { startScheduler, type RunningScheduler } from './start-scheduler.ts';
