import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from '../package/bundle.ts';

/**
 * Makes the `/app` folder of an image: `main.js`, the texts that it reads, its manifest and the licences of all that is
 * inside. Throws for what must not be given away.
 */
export async function bundleApp({
  root,
  app,
  outDir,
}: {
  readonly root: string;
  /** The folder's name below `packages`. */
  readonly app: string;
  readonly outDir: string;
}): Promise<{
  readonly bytes: number;
  readonly thirdParty: readonly string[];
  /** Every file that it was made of, as paths from the root. */
  readonly sources: readonly string[];
}> {
  const packageDir = join(root, 'packages', app);
  const { metafile, thirdParty, notices } = await bundle({
    root,
    outDir,
    programs: { main: `packages/${app}/src/main.ts` },
    known: new Map([[join(packageDir, 'package.json'), 'package.json']]),
    splitting: true, // what is imported only when it is needed is not even parsed before
  });
  await copyFile(join(packageDir, 'package.json'), join(outDir, 'package.json'));
  await copyFile(join(root, 'LICENSE'), join(outDir, 'LICENSE'));
  await writeFile(join(outDir, 'THIRD-PARTY-NOTICES'), notices);
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
  return { bytes, thirdParty, sources: Object.keys(metafile.inputs) };
}
