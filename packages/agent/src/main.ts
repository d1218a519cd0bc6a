import { startAgent } from './start-agent.ts';

if (process.argv[2] === '--compile') {
  // All that a run would load, so that Node's compile cache holds it for the runs that come.
  await Promise.all([import('./run-agent.ts'), import('./loop/anthropic-model.ts')]);
} else {
  process.exitCode = await startAgent(process.env);
}
