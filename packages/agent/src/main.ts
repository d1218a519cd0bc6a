import { enableCompileCache } from 'node:module';

// Before anything else is imported: it concerns every module that comes after.
const compileCacheDir = process.env['DRYDOCK_COMPILE_CACHE_DIR'];
if (compileCacheDir !== undefined && compileCacheDir !== '') enableCompileCache(compileCacheDir);

const { startAgent } = await import('./start-agent.ts');
process.exitCode = await startAgent(process.env);
