import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { baseImage } from './base-image.ts';
import { pullBaseImage } from './pull-base-image.ts';
import type { ClusterNode } from './cluster-node.ts';
import { run, runOk } from './run.ts';

/**
 * Makes an image of one TypeScript file, which imports nothing but Node's own, on the base of all images, and gives it
 * to the node under a new tag of this name. Needs buildah. Returns `name:tag`.
 */
export async function bringProgram(
  node: ClusterNode,
  { name, program }: { readonly name: string; readonly program: string },
  signal: AbortSignal,
): Promise<string> {
  await pullBaseImage(signal);
  const folder = await mkdtemp(join(tmpdir(), 'drydock-program-'));
  const reference = `${name}:test-${randomBytes(4).toString('hex')}`;
  const archive = join(folder, 'image.tar');
  const buildah = async (...args: readonly string[]) => (await runOk('buildah', args, { signal })).trim();
  const inside = `/app/${basename(program)}`;
  let container: string | null = null;
  try {
    container = await buildah('from', '--pull-never', baseImage);
    await buildah('copy', '--quiet', container, program, inside);
    const start = JSON.stringify(['/usr/local/bin/node', inside]);
    await buildah('config', '--entrypoint', start, '--cmd', '', '--user', '10001:10001', container);
    await buildah('commit', '--quiet', container, reference);
    await buildah('push', '--quiet', reference, `docker-archive:${archive}:${reference}`);
    await node.importImage(archive, signal);
    return reference;
  } finally {
    if (container !== null) await run('buildah', ['rm', container]);
    await run('buildah', ['rmi', reference]);
    await rm(folder, { recursive: true, force: true });
  }
}
