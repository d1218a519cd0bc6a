import { buildImages, tagImage } from './images/build-images.ts';
import { imageNames } from './images/image-inputs.ts';
import { root } from './run-command.ts';

// node scripts/images.ts [image...]: what was built is told on standard output, one reference and archive a line.
const asked = process.argv.slice(2);
const names = imageNames.filter((name) => asked.length === 0 || asked.includes(name));
const unknown = asked.filter((name) => !imageNames.some((known) => known === name));
if (unknown.length > 0) {
  process.stderr.write(`No such image: ${unknown.join(', ')}. There are: ${imageNames.join(', ')}\n`);
  process.exit(2);
}
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupted.abort());
try {
  const images = await buildImages({
    root,
    names,
    signal: interrupted.signal,
    onProgress: (step) => process.stderr.write(`${step}\n`),
  });
  for (const image of images) {
    await tagImage(image, root, interrupted.signal);
    process.stdout.write(`${image.reference}\t${image.archive}\n`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}
