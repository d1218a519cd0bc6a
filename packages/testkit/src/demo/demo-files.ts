import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** New content by path; null removes the file. */
export type DemoFiles = Readonly<Record<string, string | Buffer | null>>;

/** A value that secret scanners know by its form. Put together here, so that this repository does not hold it. */
export const fakePaymentKey = ['sk', 'live', '00DEMO00FAKE00KEY00ONLY00'].join('_');

const filesFolder = fileURLToPath(new URL('files', import.meta.url));
const textEnding = '.txt'; // keeps compilers, linters and test runners away from the demo's own sources

/** The files of one step of the demo's history. */
export function readDemoFiles(step: string): DemoFiles {
  const folder = join(filesFolder, step);
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry): readonly [string, string | Buffer] => {
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file).split(sep).join('/');
    const bytes = readFileSync(file);
    if (!path.endsWith(textEnding)) return [path, bytes];
    const text = bytes.toString('utf8').replaceAll('\r\n', '\n').replaceAll('@@FAKE_PAYMENT_KEY@@', fakePaymentKey);
    return [path.slice(0, -textEnding.length), text];
  });
  return Object.fromEntries(files.sort(([left], [right]) => (left < right ? -1 : 1)));
}
