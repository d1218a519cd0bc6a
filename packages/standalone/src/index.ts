export { StandaloneConfig } from './config.ts';
export { DemoConfig } from './demo/demo-config.ts';
export type { DemoReport } from './demo/demo-report.ts';
export { runDemo, type DemoIo } from './demo/run-demo.ts';
export { runDev, type DevIo } from './run-dev.ts';
export { startStandalone, type Standalone, type StandaloneSettings } from './start-standalone.ts';
