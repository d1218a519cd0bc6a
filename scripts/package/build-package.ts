import { cp, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { ownUrls, type Asset } from './own-urls.ts';
import { packageFolders, readThirdParty, renderNotices } from './third-party.ts';

/** The programs of the package: what they are built from, by the name of what is built. */
const programs = { main: 'packages/cli/src/main.ts', agent: 'packages/agent/src/main.ts' };

/** What packages from CommonJS count on and modules do not have; none of ours needs the folder to be the right one. */
const requireForCommonJs = `import { createRequire as createRequireForBundle } from 'node:module';
const require = createRequireForBundle(import.meta.url), __dirname = import.meta.dirname;`;

/** What was built. */
export interface BuiltPackage {
  readonly metafile: Metafile;
  /** Packages of others inside, as `name version`. */
  readonly thirdParty: readonly string[];
}

/** Makes `dist` and the notices of the npm package anew from the sources. Throws for what must not be packed. */
export async function buildPackage(root: string): Promise<BuiltPackage> {
  const packageDir = join(root, 'packages', 'cli');
  const outDir = join(packageDir, 'dist');
  const known = new Map([[join(packageDir, 'package.json'), '../package.json']]);
  for (const [name, path] of Object.entries(programs)) known.set(join(root, path), `${name}.js`);
  const { plugin, assets } = ownUrls({ root, outDir, known });
  await rm(outDir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: programs,
    outdir: outDir,
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]', // beside the programs: see OwnUrlSettings.outDir
    format: 'esm',
    platform: 'node',
    target: 'node24',
    legalComments: 'none', // THIRD-PARTY-NOTICES holds them all
    banner: { js: requireForCommonJs },
    metafile: true,
    logLevel: 'warning',
    plugins: [plugin],
  });
  await Promise.all([...assets.values()].map(copyAsset));
  const files = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
  const thirdParty = packageFolders(files).map((folder) => readThirdParty(join(root, folder)));
  await writeFile(join(packageDir, 'THIRD-PARTY-NOTICES'), renderNotices(thirdParty));
  await copyFile(join(root, 'LICENSE'), join(packageDir, 'LICENSE'));
  return { metafile, thirdParty: thirdParty.map(({ name, version }) => `${name} ${version}`) };
}

async function copyAsset({ from, to }: Asset): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true });
}
