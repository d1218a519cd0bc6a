import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own, so small that a test can fill it. */
export interface SmallDisk extends Disposable {
  readonly folder: string;
  /** Takes what room is left. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
}

let trial: { readonly why: string | null } | undefined;

/** Why no such disk can be had here, in words for the person who reads that tests were skipped; null: it can. */
export function whyNoSmallDisk(): string | null {
  trial ??= { why: tryToMount() };
  return trial.why;
}

function tryToMount(): string | null {
  try {
    mountSmallDisk(1)[Symbol.dispose]();
    return null;
  } catch (error) {
    return `no small disk can be mounted here (it takes root and tmpfs): ${String(error)}`;
  }
}

/** Mounts a tmpfs of so many mebibytes on a new folder; it is unmounted with the test process at the latest. */
export function mountSmallDisk(mebibytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'drydock-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs', folder]);
  if (mounted.status !== 0) {
    rmdirSync(folder);
    throw new Error(mounted.error?.message ?? mounted.stderr.toString().trim());
  }
  const unmount = () => {
    spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', unmount);
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill() {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    },
    free() {
      rmSync(ballast, { force: true });
    },
    [Symbol.dispose]() {
      process.removeListener('exit', unmount);
      unmount();
    },
  };
}
