import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeProduct } from './make-product.ts';
import { isExecutable } from './programs-of-machine.ts';
import { run, runOk } from './run.ts';

/** The one that builds where the machine's own is older than what go.mod asks for. */
const goVersion = '1.26.8';

const Download = z.object({ Dir: z.string() });

/** Whether `go version` tells of one that can build the tools. */
export function isNewEnough(versionLine: string): boolean {
  const [, minor, patch] = /go1\.(\d+)(?:\.(\d+))?/.exec(versionLine) ?? [];
  const [, wantedMinor, wantedPatch] = goVersion.split('.').map(Number);
  if (minor === undefined || wantedMinor === undefined || wantedPatch === undefined) return false;
  return Number(minor) > wantedMinor || (Number(minor) === wantedMinor && Number(patch ?? 0) >= wantedPatch);
}

/**
 * The program `go` to build with. Go's own releases are modules like any other (golang.org/toolchain), so even the old
 * Go of a stable distribution gets the right one from the module proxy, checked against the checksum database.
 */
export async function findGo(
  cacheRoot: string,
  signal: AbortSignal,
  onProgress: (step: string) => void,
): Promise<string> {
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const candidates = ['go', '/usr/local/go/bin/go'];
  let anyGo: string | null = null;
  for (const go of candidates) {
    const answer = await run(go, ['version'], { env, signal }).catch(() => null);
    if (answer?.exitCode !== 0) continue;
    if (isNewEnough(answer.stdout)) return go;
    anyGo ??= go;
  }
  const folder = join(cacheRoot, `go-${goVersion}`);
  const ours = join(folder, 'bin', 'go');
  if (isExecutable(ours)) return ours;
  if (anyGo === null)
    throw new Error(
      'Building the test cluster needs Go, any version from 1.19 on, and there is none.\n' +
        '  Debian, Ubuntu:  sudo apt-get install golang-go\n  elsewhere:       https://go.dev/dl/',
    );
  onProgress(`fetching Go ${goVersion}`);
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const toolchain = `golang.org/toolchain@v0.0.1-go${goVersion}.${platform}`;
  const downloaded = await runOk(anyGo, ['mod', 'download', '-json', toolchain], { env, signal, timeoutMs: 600_000 });
  const { Dir } = Download.parse(JSON.parse(downloaded));
  await makeProduct(folder, {
    async make(unfinished) {
      await rm(unfinished, { recursive: true, force: true });
      await cp(Dir, unfinished, { recursive: true });
      markExecutable(unfinished);
    },
    check: async (unfinished) => {
      await runOk(join(unfinished, 'bin', 'go'), ['version'], { env, signal });
    },
  });
  return ours;
}

/** Files of a module have no such bit. The copy is read-only as well, which a later removal must not meet. */
function markExecutable(goRoot: string): void {
  const mark = (folder: string, mode: number) => {
    chmodSync(folder, 0o755);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) mark(path, mode);
      else chmodSync(path, mode);
    }
  };
  mark(goRoot, 0o644);
  for (const folder of ['bin', 'pkg/tool'].map((inner) => join(goRoot, inner)))
    if (existsSync(folder)) mark(folder, 0o755);
}
