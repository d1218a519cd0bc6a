import { runPreflight } from './run-preflight.ts';

// A container's first process is told to end only if it listens.
process.once('SIGTERM', () => process.exit(143));
process.exitCode = await runPreflight({
  environment: process.env,
  write: (line) => void process.stderr.write(line),
});
