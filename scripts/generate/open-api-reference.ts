import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openApiDocument } from '@drydock/server';
import { z } from 'zod';

/** The control API as OpenAPI, with the server's version. */
export async function openApiReference(root: string): Promise<string> {
  const manifest = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(root, 'packages', 'server', 'package.json'), 'utf8')));
  return JSON.stringify(openApiDocument(manifest.version), null, 2);
}
