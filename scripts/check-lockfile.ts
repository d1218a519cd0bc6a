import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockfileFaults } from './lockfile-faults.ts';
import { root } from './run-command.ts';

const faults = lockfileFaults(readFileSync(join(root, 'package-lock.json'), 'utf8'));
for (const fault of faults) process.stdout.write(`package-lock.json: ${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
