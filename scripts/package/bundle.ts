import { cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { ownUrls, type Asset } from './own-urls.ts';
import { packageFolders, readThirdParty, renderNotices } from './third-party.ts';

/** What packages from CommonJS count on and modules do not have; none of ours needs the folder to be the right one. */
const requireForCommonJs = `import { createRequire as createRequireForBundle } from 'node:module';
const require = createRequireForBundle(import.meta.url), __dirname = import.meta.dirname;`;

/** What is built, and where to. */
export interface BundleSettings {
  readonly root: string;
  /** Emptied first. */
  readonly outDir: string;
  /** The programs by the name of what is built, as paths from the root. */
  readonly programs: Readonly<Record<string, string>>;
  /** Where files of ours that are neither built nor copied are found from `outDir`, by their absolute path. */
  readonly known: ReadonlyMap<string, string>;
  /** Whether what programs share lies in files of its own; else each program is one file. */
  readonly splitting: boolean;
}

/** What was built. */
export interface Bundle {
  readonly metafile: Metafile;
  /** Packages of others inside, as `name version`. */
  readonly thirdParty: readonly string[];
  /** The licences of those. */
  readonly notices: string;
}

/** Bundles programs with all that they use, also of others (ADR 11). Throws for what must not be given away. */
export async function bundle({ root, outDir, programs, known, splitting }: BundleSettings): Promise<Bundle> {
  const places = new Map(known);
  for (const [name, path] of Object.entries(programs)) places.set(join(root, path), `${name}.js`);
  const { plugin, assets } = ownUrls({ root, outDir, known: places });
  await rm(outDir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { ...programs },
    outdir: outDir,
    bundle: true,
    splitting,
    chunkNames: '[name]-[hash]', // beside the programs: see OwnUrlSettings.outDir
    format: 'esm',
    platform: 'node',
    target: 'node24',
    legalComments: 'none', // the notices hold them all
    banner: { js: requireForCommonJs },
    metafile: true,
    logLevel: 'warning',
    plugins: [plugin, onlyKubeConfig(root)],
  });
  await Promise.all([...assets.values()].map(copyAsset));
  const files = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
  const thirdParty = packageFolders(files).map((folder) => readThirdParty(join(root, folder)));
  return {
    metafile,
    thirdParty: thirdParty.map(({ name, version }) => `${name} ${version}`),
    notices: renderNotices(thirdParty),
  };
}

/**
 * Of the Kubernetes client we use at run time the reader of kubeconfig files alone; its index would bring 15 MB of API
 * with it, for an import that no tree shaking looks into. A test holds what is imported of it.
 */
function onlyKubeConfig(root: string): Plugin {
  const name = '@kubernetes/client-node';
  const path = join(root, 'node_modules', name, 'dist', 'config.js');
  return {
    name: 'only-kube-config',
    setup(setup) {
      setup.onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path }));
    },
  };
}

async function copyAsset({ from, to }: Asset): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true });
}
