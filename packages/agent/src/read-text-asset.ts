import { readFileSync } from 'node:fs';

/** A prompt that lies beside the module that uses it: read once, at import, without the line feed at its end. */
export function readTextAsset(url: URL): string {
  return readFileSync(url, 'utf8').replace(/\n$/, '');
}
