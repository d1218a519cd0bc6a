#!/usr/bin/env node
// Starts the command on Node 24. Plain JavaScript of any age, because an older Node may be the one that runs it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const major = Number(process.versions.node.split('.')[0]);

if (major >= 24) {
  await import('../src/main.ts');
} else {
  const node = findNode24(dirname(fileURLToPath(import.meta.url)));
  if (node === null) {
    process.stderr.write(
      `Drydock needs Node 24; this is Node ${process.versions.node}.\n` +
        'In a checkout, "npm ci" installs one beside it; elsewhere see https://nodejs.org/en/download\n',
    );
    process.exit(1);
  }
  const { status, signal } = spawnSync(node, process.argv.slice(1), { stdio: 'inherit' });
  if (signal !== null) process.kill(process.pid, signal);
  process.exit(status === null ? 1 : status);
}

/** The Node that npm installed as our dependency, in this folder's or a parent's node_modules. */
function findNode24(from) {
  const candidate = join(from, 'node_modules', '.bin', 'node');
  if (existsSync(candidate)) return candidate;
  const parent = dirname(from);
  return parent === from ? null : findNode24(parent);
}
