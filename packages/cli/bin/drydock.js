#!/usr/bin/env node
// Starts the command on Node 24. Plain JavaScript of any age, because an older Node may be the one that runs it.
import { spawnSync } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

const here = dirname(fileURLToPath(import.meta.url));
// A checkout has sources and runs them, built or not; a package has only what was built of them.
const isCheckout = existsSync(join(here, '..', 'src', 'main.ts'));

if (majorOf(process.versions.node) >= 24) {
  import('./compile-cache.js')
    .then(({ useCompileCache }) => useCompileCache(process.env))
    .then(() => import(isCheckout ? '../src/main.ts' : '../dist/main.js'));
} else {
  const node = findNode24(here);
  if (node === null) {
    process.stderr.write(
      `Drydock needs Node 24 or newer; this is Node ${process.versions.node}.\n` +
        (isCheckout
          ? 'In a checkout, "npm ci" installs one beside it.\n'
          : `This runs it with one: npx -p node@24 node "${process.argv[1]}" ${process.argv[2] || '--help'}\n`) +
        'Or get one from https://nodejs.org/en/download\n',
    );
    process.exit(1);
  }
  const { status, signal } = spawnSync(node, process.argv.slice(1), { stdio: 'inherit' });
  if (signal !== null) process.kill(process.pid, signal);
  process.exit(status === null ? 1 : status);
}

function majorOf(version) {
  return Number(version.split('.')[0]);
}

/** The Node that npm installed into this folder's or a parent's node_modules; an old one there is of no more use. */
function findNode24(from) {
  const folder = join(from, 'node_modules', 'node');
  const program = join(folder, 'bin', 'node');
  if (existsSync(program)) {
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (majorOf(version) >= 24) return program;
  }
  const parent = dirname(from);
  return parent === from ? null : findNode24(parent);
}
