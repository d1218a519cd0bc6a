import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The packages that an import of this folder's way in loads, in a process of its own. */
async function packagesLoaded(): Promise<string[]> {
  const entries = ['render-report.ts', 'text-look.ts', 'write-report.ts'].map((file) => new URL(file, import.meta.url));
  const script = `
    import { registerHooks } from 'node:module';
    const urls = new Set();
    registerHooks({ load: (url, context, next) => (urls.add(url), next(url, context)) });
    for (const entry of ${JSON.stringify(entries)}) await import(entry);
    process.stdout.write(JSON.stringify([...urls]));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  const urls: unknown = JSON.parse(stdout);
  const names = String(urls).match(/(?:node_modules\/(?:@[^/,]+\/)?|\/packages\/)[^/,]+(?=\/)/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/^.*(?:node_modules|packages)\//, '')))].sort();
}

describe('the folder of reports', () => {
  it('loads what writes to a terminal and the domain, nothing else', async () => {
    expect(await packagesLoaded()).toEqual([
      'ansi-regex',
      'ansi-styles',
      'cli',
      'core',
      'get-east-asian-width',
      'picocolors',
      'string-width',
      'strip-ansi',
      'wrap-ansi',
      'zod',
    ]);
  });
});
