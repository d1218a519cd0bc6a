/** A scheduler reduced to its launcher, in a process of its own: runs one agent. Arguments: program, folder. */
import { Secret, systemClock } from '@drydock/core';
import { LocalLauncher } from '../launchers/local-launcher.ts';

const [program = '', workRoot = ''] = process.argv.slice(2);
const launcher = new LocalLauncher(
  { command: [process.execPath, program], gatewayUrl: 'http://127.0.0.1:1', workRoot, path: '', graceMs: 5000 },
  systemClock,
);
await launcher.run(
  { runId: '0123456789abcdef-1', token: new Secret('run-token-canary'), deadlineSeconds: 60 },
  new AbortController().signal,
);
