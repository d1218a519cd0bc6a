import { baseImage, baseImageArchive } from './base-image.ts';
import { run, runOk } from './run.ts';

/**
 * Makes sure that buildah has the base of all images, and returns its id: a new one makes new images. If it is not
 * there it is the one that was made on this machine, or else fetched. Throws if there is no buildah.
 */
export async function pullBaseImage(
  signal: AbortSignal,
  onProgress: (step: string) => void = () => undefined,
): Promise<string> {
  const found = await ask(signal);
  if (found !== null) return found;
  const archive = baseImageArchive();
  onProgress(archive === null ? `fetching ${baseImage}` : `taking ${baseImage} as it was made on this machine`);
  const from = archive === null ? baseImage : `docker-archive:${archive}`;
  await runOk('buildah', ['pull', '--quiet', from], { signal, timeoutMs: 600_000 });
  const pulled = await ask(signal);
  if (pulled === null) throw new Error(`buildah pulled ${from} and has no ${baseImage}`);
  return pulled;
}

async function ask(signal: AbortSignal): Promise<string | null> {
  const asked = ['inspect', '--type', 'image', '--format', '{{.FromImageID}}', baseImage];
  try {
    const { exitCode, stdout } = await run('buildah', asked, { signal });
    return exitCode === 0 ? stdout.trim() : null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new Error('There is no buildah on PATH, which builds the images: apt-get install buildah', {
        cause: error,
      });
    throw error;
  }
}
