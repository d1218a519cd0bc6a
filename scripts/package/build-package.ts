import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, type Bundle } from './bundle.ts';

/** The programs of the package: what they are built from, by the name of what is built. */
const programs = { main: 'packages/cli/src/main.ts', agent: 'packages/agent/src/main.ts' };

/** Makes `dist` and the notices of the npm package anew from the sources. Throws for what must not be packed. */
export async function buildPackage(root: string): Promise<Bundle> {
  const packageDir = join(root, 'packages', 'cli');
  const outDir = join(packageDir, 'dist');
  const known = new Map([[join(packageDir, 'package.json'), '../package.json']]);
  const built = await bundle({ root, outDir, programs, known, splitting: true });
  await writeFile(join(packageDir, 'THIRD-PARTY-NOTICES'), built.notices);
  await copyFile(join(root, 'LICENSE'), join(packageDir, 'LICENSE'));
  return built;
}
