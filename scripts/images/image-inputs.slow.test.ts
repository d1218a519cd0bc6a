import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { root } from '../run-command.ts';
import { bundleApp } from './bundle-app.ts';
import { imageInputs, imageKey, imageNames, inputsOf } from './image-inputs.ts';
import { keptInputs } from './kept-inputs.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-bundles-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('what images are made of', () => {
  it.each(imageNames)('is known for all of %s: a change of any source makes another image', async (app) => {
    const known = new Set(imageInputs(root));

    const { sources } = await bundleApp({ root, app, outDir: join(folder, app) });

    expect(sources.filter((file) => !file.startsWith('node_modules/') && !known.has(file))).toEqual([]);
  });

  it('is of each image what it needs: its own sources, the texts beside them, the lock', async () => {
    const agent = await inputsOf(root, 'agent');

    expect(agent).toEqual(
      expect.arrayContaining([
        ...['Dockerfile', 'package-lock.json', 'packages/agent/package.json', 'packages/agent/src/main.ts'],
        ...['packages/agent/src/prompt/system.md', 'packages/core/src/index.ts', 'scripts/images/collect-root.sh'],
      ]),
    );
    expect(agent.filter((file) => /^packages\/(gateway|scheduler|server)\//.test(file))).toEqual([]);
  });

  it('is noted for who asks next about the same tree, and found out anew if the note is none', async () => {
    const notes = await mkdtemp(join(tmpdir(), 'drydock-inputs-'));
    try {
      const note = join(notes, `inputs-${imageKey(root, '', imageInputs(root))}.json`);
      writeFileSync(note, '{"agent":');
      const found = await keptInputs(root, notes);
      writeFileSync(note, JSON.stringify({ ...found, agent: ['as noted'] }));

      expect(found.agent).toContain('packages/agent/src/main.ts');
      expect(await keptInputs(root, notes)).toEqual({ ...found, agent: ['as noted'] });
    } finally {
      await rm(notes, { recursive: true, force: true });
    }
  }, 120_000);

  it('is of the Kubernetes client only what reads kubeconfig files', () => {
    const texts = imageInputs(root)
      .filter((path) => path.startsWith('packages/') && path.endsWith('.ts'))
      .map((path) => readFileSync(join(root, path), 'utf8'));
    const imports = texts.flatMap((text) => text.match(/^.*(from|import\() ?'@kubernetes\/client-node'.*$/gm) ?? []);

    const atRunTime = imports.filter((line) => !/^(import|export) type /.test(line)).map((line) => line.trim());
    expect(atRunTime).toEqual(["const { KubeConfig } = await import('@kubernetes/client-node');"]);
  });

  it('is the same key for the same files, and another one on another base', () => {
    const files = ['Dockerfile', 'LICENSE'];
    const key = imageKey(root, 'base', files);

    expect(key).toMatch(/^[0-9a-f]{16}$/);
    expect(imageKey(root, 'base', files)).toBe(key);
    expect(imageKey(root, 'other', files)).not.toBe(key);
    expect(imageKey(root, 'base', ['Dockerfile'])).not.toBe(key);
  });

  it('is no test, and nothing of the packages that are in no image', () => {
    expect(imageInputs(root).filter((file) => /[.]test[.]ts$|^packages\/(cli|testkit)\/src/.test(file))).toEqual([]);
  });
});
