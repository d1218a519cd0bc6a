// Exits 0 if node_modules holds what package-lock.json says, and Node 24 in it runs. With --explain says what does not.
// npm writes node_modules/.package-lock.json last of all, so an installation that was killed half-way has none.
// Runs on the machine's own Node, from 18 on: plain JavaScript.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** @param {string} path */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

/** Packages for other platforms, and what only those need, are left out. */
function mayBeAbsent({ optional, devOptional, peer, os, cpu, libc }) {
  if (!optional && !devOptional && !peer) return false;
  const isForHere =
    os?.includes(process.platform) && cpu?.includes(process.arch) && (libc?.includes(ourLibc()) ?? true);
  return !isForHere;
}

function ourLibc() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

function whatIsWrong() {
  const locked = packagesOf('package-lock.json');
  const installed = packagesOf('node_modules/.package-lock.json');
  for (const [path, want] of Object.entries(locked)) {
    if (!path.includes('node_modules/')) continue;
    const have = installed[path];
    if (have === undefined) {
      if (mayBeAbsent(want)) continue;
      return `${path} is missing`;
    }
    if (have.version !== want.version || have.integrity !== want.integrity || have.link !== want.link) {
      return `${path} is ${have.version ?? 'another'}, not ${want.version ?? 'the locked one'}`;
    }
    if (!existsSync(path)) return `${path} was removed`;
  }
  for (const path of Object.keys(installed)) {
    if (path.includes('node_modules/') && locked[path] === undefined) return `${path} is not locked`;
  }
  try {
    const version = execFileSync('node_modules/.bin/node', ['--version'], { encoding: 'utf8' }).trim();
    return version.startsWith('v24.') ? undefined : `node_modules/.bin/node is ${version}, not v24`;
  } catch {
    return 'node_modules/.bin/node does not run: did npm run the install script of the package "node"?';
  }
}

const wrong = whatIsWrong();
if (wrong !== undefined) {
  if (process.argv.includes('--explain')) process.stderr.write(`${wrong}\n`);
  process.exitCode = 1;
}
