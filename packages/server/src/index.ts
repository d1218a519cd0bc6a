export { ServerConfig } from './config.ts';
export type { ServerPorts, ServerSettings } from './app.ts';
export { controlTokens, type ControlToken } from './control/control-tokens.ts';
export { openApiDocument } from './control/open-api.ts';
export { gatewayLogs, type GatewayLogSettings, type RunLogs } from './control/run-logs.ts';
export { createServerMetrics, type ServerMetrics } from './metrics.ts';
export { startServer, type ListenSettings, type RunningServer } from './start-server.ts';
