import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { chartFolder } from './chart-values.ts';
import { helm } from './helm.ts';

/** An object of Kubernetes, as far as its place is concerned. */
export const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Manifest = z.infer<typeof Manifest>;

/** What `helm install drydock` would apply with these values, in its order. */
export async function renderChart(root: string, values: object): Promise<readonly Manifest[]> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-values-'));
  try {
    const file = join(folder, 'values.json');
    await writeFile(file, JSON.stringify(values));
    const text = await helm([
      'template',
      'drydock',
      join(root, chartFolder),
      '--namespace',
      'drydock',
      '--values',
      file,
    ]);
    return parseManifests(text);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const value: unknown = document.toJS();
    return value === null ? [] : [Manifest.parse(value)];
  });
}

/** Manifests as a file of Kubernetes. */
export function manifestText(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
}
