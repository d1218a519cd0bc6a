import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { rewriteUrls, type Asset } from './own-urls.ts';

const root = mkdtempSync(join(tmpdir(), 'own-urls-'));
const outDir = join(root, 'dist');
const path = join(root, 'packages/agent/src/prompt/build.ts');
const settings = { root, outDir, known: new Map([[join(root, 'packages/agent/src/main.ts'), 'agent.js']]) };

for (const file of ['prompt/system.md', 'prompt/lua/lease.lua', 'main.ts', 'tools/run.ts']) {
  const target = join(root, 'packages/agent/src', file);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, 'text');
}
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What becomes of the one line `const x = …;`. */
function rewrite(expression: string) {
  const assets = new Map<string, Asset>();
  const { text, errors } = rewriteUrls({ path, source: `const x = ${expression};` }, settings, assets);
  return { text: text.slice('const x = '.length, -1), errors, copied: [...assets.values()] };
}

const copyOf = (file: string, to: string) => ({ from: join(root, 'packages/agent/src', file), to: join(outDir, to) });

describe('addresses of what lies beside our sources', () => {
  it('name the copy of a text', () => {
    expect(rewrite("new URL('system.md', import.meta.url)")).toEqual({
      text: "new URL('assets/agent/prompt/system.md', import.meta.url)",
      errors: [],
      copied: [copyOf('prompt/system.md', 'assets/agent/prompt/system.md')],
    });
  });

  it('name the copy of a folder, whatever file in it is asked for', () => {
    expect(rewrite('new URL(`./lua/${file}`, import.meta.url)')).toEqual({
      text: 'new URL(`assets/agent/prompt/lua/${file}`, import.meta.url)',
      errors: [],
      copied: [copyOf('prompt/lua/', 'assets/agent/prompt/lua')].map(({ from, to }) => ({
        from: from.replace(/\/$/, ''),
        to,
      })),
    });
  });

  it('name the program that was built of a source', () => {
    expect(rewrite("new URL('../main.ts', import.meta.url)")).toEqual({
      text: "new URL('agent.js', import.meta.url)",
      errors: [],
      copied: [],
    });
  });

  it.each([
    ['a text that is not there', "new URL('nowhere.md', import.meta.url)"],
    ['a program that is not built', "new URL('../tools/run.ts', import.meta.url)"],
    ['a file outside the packages', "new URL('../../../../secret.txt', import.meta.url)"],
    ['a place that only the run knows', 'new URL(name, import.meta.url)'],
    ['half a name', 'new URL(`lua/le${file}`, import.meta.url)'],
    ['another way to ask', "join(import.meta.dirname, 'system.md')"],
  ])('fail the build for %s', (_what, expression) => {
    const { errors, copied } = rewrite(expression);

    expect(errors).toEqual([expect.stringContaining(`${path}:1: `)]);
    expect(copied).toEqual([]);
  });
});
