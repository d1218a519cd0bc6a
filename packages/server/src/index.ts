export { ServerConfig } from './config.ts';
export type { ServerPorts } from './app.ts';
export { createServerMetrics, type ServerMetrics } from './metrics.ts';
export { startServer, type ListenSettings, type RunningServer } from './start-server.ts';
export type { WebhookSettings } from './routes/webhooks.ts';
