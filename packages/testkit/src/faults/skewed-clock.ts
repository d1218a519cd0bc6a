import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The wall clock of a program that a test starts; its monotonic clock stays what it is, as on a real machine. */
export interface SkewedClock extends Disposable {
  /** To be merged into the environment of the program. */
  readonly environment: Readonly<Record<string, string>>;
  /** The wall clock jumps: so many seconds beside the true time from now on. */
  step(offsetSeconds: number): void;
}

/** Where the library is that tells programs another time; null: it is not installed. */
function libraryOfFaketime(): string | null {
  const asked = spawnSync('faketime', ['-f', '+0s', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim() : null;
}

/** Why no program can be given another clock here; null: it can. */
export function whyNoSkewedClock(): string | null {
  return libraryOfFaketime() === null ? 'faketime is not installed (Debian: apt-get install faketime)' : null;
}

/** Prepares a clock that is so many seconds beside the true time. */
export function skewedClock(offsetSeconds: number): SkewedClock {
  const library = libraryOfFaketime();
  if (library === null) throw new Error(whyNoSkewedClock() ?? '');
  const folder = mkdtempSync(join(tmpdir(), 'drydock-clock-'));
  const file = join(folder, 'offset');
  const step = (seconds: number) => {
    writeFileSync(`${file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s\n`);
    renameSync(`${file}.new`, file); // the program must never read half a number
  };
  step(offsetSeconds);
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    step,
    [Symbol.dispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
