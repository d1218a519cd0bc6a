import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { cp, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Product } from './make-product.ts';
import { runOk } from './run.ts';

/** The container that each pod's namespaces live by. */
export const pauseImage = 'localhost/drydock-test/pause:1';
/** For pods of tests: a shell, nc, wget and the rest of busybox, at /bin. */
export const busyboxImage = 'localhost/drydock-test/busybox:1';

/** What an image says of itself, as the OCI image specification names it. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
}

/** Ends on SIGTERM, and buries what it inherits: as process 1 of a pod, or of a node, nobody else would. */
const pauseSource = `#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int s) { (void)s; _exit(0); }
static void bury(int s) { (void)s; while (waitpid(-1, NULL, WNOHANG) > 0) {} }
int main(void) {
  signal(SIGTERM, end); signal(SIGINT, end); signal(SIGCHLD, bury);
  for (;;) pause();
}
`;

/** The programs and archives that every node starts with; the folder's name tells what they are made of. */
export function imageProducts(cacheRoot: string): readonly Product[] {
  const hash = createHash('sha256').update(pauseSource).update(busyboxImage).digest('hex').slice(0, 12);
  const folder = join(cacheRoot, `images-${hash}`);
  const isFilled = async (unfinished: string) => {
    if ((await stat(unfinished)).size === 0) throw new Error(`${unfinished} is empty`);
  };
  return [
    { name: 'pause', path: join(folder, 'pause'), expectedSeconds: 1, make: compilePause, check: isFilled },
    {
      name: 'pause.tar',
      path: join(folder, 'pause.tar'),
      expectedSeconds: 1,
      make: (_go, unfinished, signal) =>
        writeImage(
          unfinished,
          pauseImage,
          { Entrypoint: ['/pause'] },
          (root) => cp(join(folder, 'pause'), join(root, 'pause')),
          signal,
        ),
      check: isFilled,
    },
    {
      name: 'busybox.tar',
      path: join(folder, 'busybox.tar'),
      expectedSeconds: 1,
      make: (_go, unfinished, signal) =>
        writeImage(
          unfinished,
          busyboxImage,
          { Cmd: ['sh'], Env: ['PATH=/bin'] },
          (root) => busyboxRoot(root, signal),
          signal,
        ),
      check: isFilled,
    },
  ];
}

async function compilePause(_go: string, unfinished: string, signal: AbortSignal): Promise<void> {
  await runOk('gcc', ['-static', '-Os', '-s', '-x', 'c', '-o', unfinished, '-'], { input: pauseSource, signal });
}

async function busyboxRoot(root: string, signal: AbortSignal): Promise<void> {
  const bin = join(root, 'bin');
  await mkdir(bin);
  await mkdir(join(root, 'tmp'), { mode: 0o777 });
  await cp('/bin/busybox', join(bin, 'busybox'));
  const applets = (await runOk('/bin/busybox', ['--list'], { signal })).split('\n');
  for (const applet of applets.filter((name) => name !== '' && name !== 'busybox'))
    await symlink('busybox', join(bin, applet));
}

/** Writes an image of one layer as an archive that containerd, buildah and docker read; `fill` puts files below a folder. */
export async function writeImage(
  archive: string,
  name: string,
  config: ImageConfig,
  fill: (root: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const folder = `${archive}.parts`; // beside it: /tmp may be small, or forbid devices
  await mkdir(folder);
  try {
    const root = join(folder, 'root');
    await mkdir(root, { mode: 0o755 });
    await fill(root);
    const layer = join(folder, 'layer.tar');
    const plain = [
      '--sort=name',
      '--mtime=@0',
      '--numeric-owner',
      '--format=posix',
      '--pax-option=delete=atime,delete=ctime',
    ];
    await runOk('tar', ['-C', root, ...plain, '-cf', layer, '.'], { signal, timeoutMs: 300_000 });
    const digest = await sha256Of(layer);
    const image = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
      // buildah builds on no image whose history has fewer entries than layers.
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'made on this machine' }],
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify(image));
    const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const files = ['manifest.json', 'config.json', 'layer.tar'];
    await runOk('tar', ['-C', folder, '-cf', archive, ...files], { signal, timeoutMs: 300_000 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
