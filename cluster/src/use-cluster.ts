import { accessSync, constants } from 'node:fs';
import { builtPrograms, productsOf } from './build-programs.ts';
import { levels, programsOf, type Level } from './levels.ts';
import { isMade } from './make-product.ts';
import { defaultWorkshop } from './places.ts';
import { isExecutable, type Programs } from './programs-of-machine.ts';
import { startCluster, type Cluster, type StartOptions } from './start-cluster.ts';
import { whyNot } from './why-not.ts';
import { join } from 'node:path';

/** The value of DRYDOCK_TEST_CLUSTER with which a user lets tests into the cluster that KUBECONFIG names. */
const consent = 'yes-use-my-kubeconfig';

/** Where tests get a cluster of a level from, in the order in which it is looked for. */
type Source =
  | { readonly kind: 'yours'; readonly kubeconfig: string }
  | { readonly kind: 'started'; readonly programs: () => Programs }
  | { readonly kind: 'none'; readonly why: string };

/**
 * A cluster to test with: the user's own if they consent to it, else one that is started for this process, of the
 * programs in KUBEBUILDER_ASSETS (control-plane level only) or of those that were built. Nothing is built here: that
 * takes minutes, and `make test` does it before the tests.
 */
export async function useCluster(
  options: Omit<StartOptions, 'programs'>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Cluster> {
  const source = sourceOf(options.level, env);
  switch (source.kind) {
    case 'none':
      throw new Error(`there is no cluster of the level ${options.level}: ${source.why}`);
    case 'yours':
      return yourCluster(source.kubeconfig, options);
    case 'started':
      return startCluster({ ...options, programs: source.programs() });
  }
}

/** Why `useCluster` would fail here, in words for a person, or null if it would not. */
export function whyNoCluster(level: Level, env: NodeJS.ProcessEnv = process.env): string | null {
  const source = sourceOf(level, env);
  return source.kind === 'none' ? source.why : null;
}

/** Whether programs must be built before tests of this level, and of those below it, can run. */
export function needsBuild(level: Level, env: NodeJS.ProcessEnv = process.env): boolean {
  if (yourKubeconfig(env) !== null) return false;
  const lower = levels.slice(0, levels.indexOf(level) + 1);
  return lower.some((each) => whyNot(each) === null && missingPrograms(each, env).length > 0);
}

/** What is to be built for a level: with KUBEBUILDER_ASSETS only what that folder lacks. */
function wantedPrograms(level: Level, env: NodeJS.ProcessEnv): ReturnType<typeof programsOf> {
  const assets = assetsFolder(level, env);
  return programsOf(level).filter(({ name }) => assets === null || !isExecutable(join(assets, name)));
}

function sourceOf(level: Level, env: NodeJS.ProcessEnv): Source {
  const kubeconfig = yourKubeconfig(env);
  if (kubeconfig !== null) return { kind: 'yours', kubeconfig };
  const why = whyNot(level);
  if (why !== null) return { kind: 'none', why };
  const missing = missingPrograms(level, env);
  if (missing.length > 0)
    return { kind: 'none', why: `not built are ${missing.join(', ')}: npm run -s cluster -- build ${level}` };
  const assets = assetsFolder(level, env);
  const programs = () =>
    builtPrograms(defaultWorkshop(env), wantedPrograms(level, env), assets === null ? [] : [assets]);
  return { kind: 'started', programs };
}

function missingPrograms(level: Level, env: NodeJS.ProcessEnv): readonly string[] {
  return productsOf(defaultWorkshop(env), wantedPrograms(level, env))
    .filter(({ path }) => !isMade(path))
    .map(({ name }) => name);
}

/** The folder that setup-envtest fills; it has neither kubelet nor, usually, a controller manager. */
function assetsFolder(level: Level, env: NodeJS.ProcessEnv): string | null {
  const folder = env['KUBEBUILDER_ASSETS'];
  return level !== 'control-plane' || folder === undefined || folder === '' ? null : folder;
}

function yourKubeconfig(env: NodeJS.ProcessEnv): string | null {
  const file = env['KUBECONFIG'];
  return file === undefined || file === '' || env['DRYDOCK_TEST_CLUSTER'] !== consent ? null : file;
}

/** It is neither ours to stop nor to sign certificates for. */
function yourCluster(kubeconfig: string, { name, level }: Omit<StartOptions, 'programs'>): Cluster {
  accessSync(kubeconfig, constants.R_OK);
  return {
    name,
    level,
    isNew: false,
    isYours: true,
    kubeconfigPath: kubeconfig,
    node: null,
    async kubeconfigFor() {
      throw new Error('only a cluster that was started for tests signs certificates for users');
    },
    stop: async () => undefined,
  };
}
