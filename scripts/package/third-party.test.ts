import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { packageFolders, readThirdParty, renderNotices } from './third-party.ts';

const folders: string[] = [];

/** A package as npm lays it out. */
function aPackage(manifest: Record<string, string>, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'third-party-'));
  folders.push(folder);
  const all = { 'package.json': JSON.stringify({ name: 'tree', version: '1.2.3', ...manifest }), ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe('packages of others in the bundle', () => {
  it('are found by their files, each once', () => {
    const found = packageFolders([
      'packages/cli/src/main.ts',
      'node_modules/zod/v4/index.js',
      'node_modules/zod/index.js',
      'node_modules/@scope/one/lib/a.js',
      'node_modules/express/node_modules/ms/index.js',
    ]);

    expect(found).toEqual(['node_modules/@scope/one', 'node_modules/express/node_modules/ms', 'node_modules/zod']);
  });

  it('have their licence and notice go with the bundle', () => {
    const folder = aPackage({ license: 'Apache-2.0' }, { LICENSE: 'Do as you like.\n', NOTICE: 'By us.\n' });

    expect(renderNotices([readThirdParty(folder)])).toContain(
      'tree 1.2.3 (Apache-2.0)\n-----------------------\n\nDo as you like.\n\nBy us.\n',
    );
  });

  it.each([
    ['no licence', {}, { LICENSE: 'text' }, 'names no licence'],
    ['a licence that asks for more', { license: 'GPL-3.0-only' }, { LICENSE: 'text' }, 'under GPL-3.0-only'],
    ['more than one to keep', { license: 'MIT AND GPL-3.0-only' }, { LICENSE: 'text' }, 'under MIT AND GPL-3.0-only'],
    ['a licence without its text', { license: 'MIT' }, {}, 'without the text'],
  ])('are refused with %s', (_what, manifest, files, message) => {
    const folder = aPackage(manifest, files);

    expect(() => readThirdParty(folder)).toThrow(message);
  });
});
