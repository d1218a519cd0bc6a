import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { root } from './run-command.ts';

const Lockfile = z.object({ packages: z.record(z.string(), z.object({ resolved: z.string().optional() })) });

/**
 * Addresses in package-lock.json tie every user to the registry of whoever wrote it last: npm would download from
 * there, whatever their own settings say. Integrity hashes stay. `.npmrc` leaves the addresses out; an npm from
 * before 8.15, or another setting, puts them back.
 */
export function lockedAddresses(lockfileJson: string): string[] {
  const { packages } = Lockfile.parse(JSON.parse(lockfileJson));
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved?.includes('://'))
    .map(([path, { resolved }]) => `${path}: ${resolved ?? ''}`);
}

if (import.meta.main) {
  const found = lockedAddresses(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  if (found.length > 0) {
    process.stdout.write(`package-lock.json names download addresses; run npm install with this folder's .npmrc:\n`);
    process.stdout.write(`${found.slice(0, 10).join('\n')}\n`);
    process.exitCode = 1;
  }
}
