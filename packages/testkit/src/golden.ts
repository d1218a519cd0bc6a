import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The text of a golden file, to compare with. With UPDATE_GOLDEN=1 the file becomes `actual` first: look at what git
 * says has changed. `name` is relative to the folder `golden` beside the test, `testUrl` its `import.meta.url`.
 */
export function goldenText(testUrl: string, name: string, actual: string): string {
  const file = fileURLToPath(new URL(`golden/${name}`, testUrl));
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
  }
  return readFileSync(file, 'utf8');
}
