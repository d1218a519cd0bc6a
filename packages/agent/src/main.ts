import { enableCompileCache } from 'node:module';

// Before anything else is imported: it concerns every module that comes after.
const compileCacheDir = process.env['DRYDOCK_COMPILE_CACHE_DIR'];
if (compileCacheDir !== undefined && compileCacheDir !== '') enableCompileCache(compileCacheDir);

const { startAgent } = await import('./start-agent.ts');
if (process.argv[2] === '--compile') {
  // All that a run would load, so that the folder holds it for those that come.
  await Promise.all([import('./run-agent.ts'), import('./loop/anthropic-model.ts')]);
} else {
  process.exitCode = await startAgent(process.env);
}
