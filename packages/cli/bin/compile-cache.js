/**
 * Code that was compiled once is not compiled again: most of what a short command takes. It is Node's own cache.
 *
 * Who can write there runs code in every later command. So it lies in a folder of the user alone, never in the shared
 * temporary folder, which is where Node puts it by itself; and where a folder on the way there could be exchanged by
 * somebody else, commands start slower instead.
 *
 * Node never takes anything out of it, and names of files change with each version of the command: each has a folder of
 * its own, and a new one takes the oldest away.
 *
 * @see https://nodejs.org/api/module.html#module-compile-cache
 */
import { lstatSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';

const writableByOthers = 0o022;
const sticky = 0o1000;
/** Some megabytes each. */
const keptVersions = 3;

/** Turns it on, if there is a safe place. The environment says where a user's caches are. */
export function useCompileCache(environment) {
  if (environment.NODE_COMPILE_CACHE || environment.NODE_DISABLE_COMPILE_CACHE) return; // said otherwise
  const folder = safeCacheFolder(environment);
  if (folder === null) return;
  try {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    const made = mkdirSync(join(folder, String(version)), { recursive: true, mode: 0o700 });
    if (made !== undefined) removeOldest(folder); // only then: it is no work of every start
    enableCompileCache(join(folder, String(version)));
  } catch {
    // full, or taken away by another: slower, and nothing that a user must know
  }
}

function removeOldest(folder) {
  const made = readdirSync(folder).map((name) => ({ name, atMs: lstatSync(join(folder, name)).mtimeMs }));
  made.sort((one, other) => other.atMs - one.atMs);
  for (const { name } of made.slice(keptVersions)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Makes the folder. Null: there is no place where nobody else may write. */
function safeCacheFolder(environment) {
  const caches = cachesOf(environment);
  if (caches === null || process.getuid === undefined) return null;
  try {
    const folder = join(caches, 'drydock', 'compiled');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const real = realpathSync(folder);
    return isOursAlone(real, process.getuid()) ? real : null;
  } catch {
    return null; // read-only, full, a file in its place: nothing that a user must know
  }
}

function cachesOf({ XDG_CACHE_HOME: caches, HOME: home }) {
  if (caches !== undefined && isAbsolute(caches)) return caches; // the specification: others are ignored
  return home !== undefined && isAbsolute(home) ? join(home, '.cache') : null;
}

/** Ours, and nobody else may exchange it or any folder above it: a sticky folder lets others add, not exchange. */
function isOursAlone(folder, uid) {
  const { mode, uid: owner } = lstatSync(folder);
  if (owner !== uid || (mode & writableByOthers) !== 0) return false;
  for (let above = dirname(folder); ; above = dirname(above)) {
    const stat = lstatSync(above);
    if (stat.uid !== uid && stat.uid !== 0) return false;
    if ((stat.mode & writableByOthers) !== 0 && (stat.mode & sticky) === 0) return false;
    if (above === dirname(above)) return true;
  }
}
