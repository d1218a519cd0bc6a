import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeImage } from './images.ts';
import { isMade, type Product } from './make-product.ts';
import { defaultCacheRoot } from './places.ts';
import { runOk } from './run.ts';

/** What the Dockerfile begins with. A registry has it as well: this one is for machines without, under the same name. */
export const baseImage = 'docker.io/library/node:24-bookworm-slim';

const suite = 'bookworm';
const npmVersion = '11.21.2';
const mirror = 'http://deb.debian.org/debian';

/** Its users start scripts without a program's name: `docker run image app.js`. */
const entrypoint = `#!/bin/sh
set -e
if ! command -v "$1" >/dev/null 2>&1 || [ "\${1#-}" != "$1" ]; then set -- node "$@"; fi
exec "$@"
`;

const sources = `Types: deb
URIs: ${mirror}
Suites: ${suite} ${suite}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: ${suite}-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;

/** The image as an archive: the smallest Debian, the Node that this runs on, npm, and the user `node` (1000). */
export function baseImageProduct(cacheRoot: string): Product {
  const recipe = JSON.stringify([process.version, process.arch, npmVersion, suite, mirror, sources, entrypoint, 3]);
  const hash = createHash('sha256').update(recipe).digest('hex').slice(0, 12);
  return {
    name: 'node-base.tar',
    path: join(cacheRoot, `base-image-${hash}`, 'node-base.tar'),
    expectedSeconds: 90,
    make: (_go, unfinished, signal) =>
      writeImage(
        unfinished,
        baseImage,
        {
          Entrypoint: ['docker-entrypoint.sh'],
          Cmd: ['node'],
          Env: [
            'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
            `NODE_VERSION=${process.version.slice(1)}`,
          ],
        },
        (root) => fillRoot(root, signal),
        signal,
      ),
    async check(unfinished) {
      const listed = await runOk('tar', ['-tf', unfinished]);
      if (!listed.includes('layer.tar')) throw new Error(`${unfinished} holds no layer`);
    },
  };
}

async function fillRoot(root: string, signal: AbortSignal): Promise<void> {
  await debootstrap(root, signal);
  await writeFile(join(root, 'etc', 'apt', 'sources.list.d', 'debian.sources'), sources);
  await rm(join(root, 'etc', 'apt', 'sources.list'), { force: true });
  const bin = join(root, 'usr', 'local', 'bin');
  await cp(process.execPath, join(bin, 'node'), { dereference: true });
  await writeFile(join(bin, 'docker-entrypoint.sh'), entrypoint, { mode: 0o755 });
  await chmod(join(bin, 'node'), 0o755);
  await addNpm(root, signal);
  await runOk('chroot', [root, 'groupadd', '--gid', '1000', 'node'], { signal });
  const user = ['useradd', '--uid', '1000', '--gid', 'node', '--shell', '/bin/bash', '--create-home', 'node'];
  await runOk('chroot', [root, ...user], { signal });
  for (const folder of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/man', 'usr/share/locale', 'var/log']) {
    await rm(join(root, folder), { recursive: true, force: true });
    await mkdir(join(root, folder), { recursive: true });
  }
  // Licences stay, as in the image of that name: what is copied out of it must take its own along.
  const docs = join(root, 'usr', 'share', 'doc');
  await runOk('find', [docs, '-type', 'f', '!', '-name', 'copyright', '-delete'], { signal });
  await runOk('chroot', [root, 'node', '--version'], { signal });
}

/** In mounts of its own: killed in the middle, it leaves none of those that it makes below the folder. */
async function debootstrap(root: string, signal: AbortSignal): Promise<void> {
  const made = ['debootstrap', '--variant=minbase', '--include=tzdata', suite, root, mirror];
  await runOk('unshare', ['--mount', '--propagation', 'private', '--', ...made], {
    signal,
    timeoutMs: 900_000,
    env: { ...process.env, PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${process.env['PATH'] ?? ''}` },
  });
}

async function addNpm(root: string, signal: AbortSignal): Promise<void> {
  const modules = join(root, 'usr', 'local', 'lib', 'node_modules');
  await mkdir(modules, { recursive: true });
  await runOk('npm', ['pack', '--silent', `npm@${npmVersion}`, '--pack-destination', modules], {
    signal,
    cwd: modules,
  });
  const archive = join(modules, `npm-${npmVersion}.tgz`);
  await runOk('tar', ['-xzf', archive, '-C', modules, '--no-same-owner'], { signal });
  await rm(archive);
  await rename(join(modules, 'package'), join(modules, 'npm'));
  for (const name of ['npm', 'npx']) {
    await chmod(join(modules, 'npm', 'bin', `${name}-cli.js`), 0o755);
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, 'usr', 'local', 'bin', name));
  }
}

/** Where the image is; null until `npm run -s cluster -- build` has made it. */
export function baseImageArchive(env: NodeJS.ProcessEnv = process.env): string | null {
  const { path } = baseImageProduct(defaultCacheRoot(env));
  return isMade(path) ? path : null;
}
