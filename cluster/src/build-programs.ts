import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { baseImageProduct } from './base-image.ts';
import { findGo } from './go-toolchain.ts';
import { goBuildArgs, goBuildEnvironment, moduleFolder, requiredVersion, type ModuleSource } from './go-build.ts';
import { imageProducts } from './images.ts';
import { holdLock } from './hold-lock.ts';
import { isMade, makeProduct, type Product } from './make-product.ts';
import { defaultWorkshop, type Workshop } from './places.ts';
import { toolModules, type Program, type ToolModule, type ToolModuleName } from './programs.ts';
import { programsIn, type Programs } from './programs-of-machine.ts';
import { run, runOk } from './run.ts';

/** What a builder shows while it works. */
export interface BuildProgress {
  begin(product: Product, position: number, count: number): void;
  end(product: Product, seconds: number): void;
  say(text: string): void;
}

/** Which of the tools are wanted: all of a module's, or those of a level. */
export type Wanted = readonly { readonly module: ToolModuleName; readonly name: string }[];

/** Everything that is built of the wanted programs, ready or not, in the order that they are built in. */
export function productsOf(workshop: Workshop, wanted: Wanted): readonly Product[] {
  const programs = (workshop.modules ?? toolModules).flatMap((module) => {
    const ofModule = module.programs.filter(({ name }) =>
      wanted.some((want) => want.module === module.name && want.name === name),
    );
    if (ofModule.length === 0) return [];
    const source = readSource(workshop.toolsFolder, module);
    const folder = join(workshop.cacheRoot, moduleFolder(source, `${process.platform}-${process.arch}`));
    const products = ofModule.map((program) => programProduct(source, program, join(folder, 'bin')));
    return module.name === 'cilium' ? [...products, ciliumSources(source, folder)] : products;
  });
  return wanted.some(({ name }) => name === 'kubelet')
    ? [...programs, ...imageProducts(workshop.cacheRoot), baseImageProduct(workshop.cacheRoot)]
    : programs;
}

/** Where the wanted programs are, once they are built. */
export function builtPrograms(workshop: Workshop, wanted: Wanted, first: readonly string[] = []): Programs {
  const products = productsOf(workshop, wanted);
  const folders = [...new Set(products.map(({ path }) => join(path, '..')))];
  const key = createHash('sha256')
    .update(JSON.stringify([...first, ...folders]))
    .digest('hex')
    .slice(0, 16);
  const find = (name: string) => products.find((product) => product.name === name)?.path ?? null;
  const pause = find('pause');
  const images = imageProducts(workshop.cacheRoot)
    .map(({ path }) => path)
    .filter((path) => path.endsWith('.tar'));
  return programsIn(
    [...first, ...folders],
    key,
    pause === null ? null : { pause, images, cilium: find(ciliumSourcesName) },
  );
}

/** Builds what is missing of the wanted programs, one at a time; nothing is done if nothing is. */
export async function buildPrograms(
  workshop: Workshop,
  wanted: Wanted,
  { progress, signal }: { readonly progress: BuildProgress; readonly signal: AbortSignal },
): Promise<void> {
  const { cacheRoot } = workshop;
  const products = productsOf(workshop, wanted);
  const missing = () => products.filter(({ path }) => !isMade(path));
  if (missing().length === 0) return;
  let current = 'about to build';
  const lockName = `cache-${createHash('sha256').update(cacheRoot).digest('hex').slice(0, 16)}`;
  await using _lock = await holdLock(lockName, () => current, {
    signal,
    onWait: (holder) => progress.say(`waiting for process ${holder.pid}, which is ${holder.doing}`),
  });
  // What the one before us built is there now.
  const todo = missing();
  if (todo.length === 0) return;
  const minutes = Math.ceil(todo.reduce((sum, { expectedSeconds }) => sum + expectedSeconds, 0) / 60);
  progress.say(
    `${todo.length} of ${products.length} parts of the test cluster are to be built, once: about ${minutes} min on two cores`,
  );
  const go = workshop.go ?? (await findGo(cacheRoot, signal, (step) => progress.say(step)));
  for (const [index, product] of todo.entries()) {
    signal.throwIfAborted();
    current = `building ${product.name}`;
    progress.begin(product, index + 1, todo.length);
    const startedMs = performance.now();
    await makeProduct(product.path, {
      make: (unfinished) => product.make(go, unfinished, signal),
      check: (unfinished) => product.check(unfinished, signal),
    });
    progress.end(product, (performance.now() - startedMs) / 1000);
  }
}

function readSource(toolsFolder: string, module: ToolModule): ModuleSource {
  const folder = join(toolsFolder, module.name);
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  return { module, folder, goMod: read('go.mod'), goSum: read('go.sum') };
}

function programProduct({ module, folder, goMod }: ModuleSource, program: Program, bin: string): Product {
  const version = requiredVersion(goMod, module.modulePath);
  return {
    name: program.name,
    path: join(bin, program.name),
    expectedSeconds: program.expectedSeconds,
    async make(go, unfinished, signal) {
      const env = { ...process.env, ...goBuildEnvironment(program) };
      const { exitCode, stderr } = await run(go, goBuildArgs(program, version, unfinished), {
        cwd: folder,
        env,
        signal,
        timeoutMs: 3_600_000,
      });
      if (exitCode !== 0) throw new Error(`${program.name} could not be built:\n${stderr.slice(-4000)}`);
    },
    async check(unfinished, signal) {
      const env = { PATH: '/usr/bin:/bin', ...program.check.env };
      const { exitCode, stdout, stderr } = await run(unfinished, program.check.args, {
        env,
        signal,
        timeoutMs: 60_000,
      });
      const isRight = exitCode === 0 && (program.anyVersion === true || `${stdout}${stderr}`.includes(version));
      if (!isRight)
        throw new Error(
          `${program.name} was built and does not tell its version, ${version}:\n${stdout}${stderr}`.slice(0, 2000),
        );
    },
  };
}

const ciliumSourcesName = 'cilium-sources';
const ModuleInfo = z.object({ Dir: z.string() });

/** Cilium compiles its datapath when it starts, and its CRDs must be there before: both are files of the module. */
function ciliumSources({ module, folder, goMod }: ModuleSource, cached: string): Product {
  return {
    name: ciliumSourcesName,
    path: join(cached, 'sources'),
    expectedSeconds: 2,
    async make(go, unfinished, signal) {
      const env = { ...process.env, GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-mod=mod' };
      const reference = `${module.modulePath}@v${requiredVersion(goMod, module.modulePath)}`;
      const answer = await runOk(go, ['mod', 'download', '-json', reference], {
        cwd: folder,
        env,
        signal,
        timeoutMs: 600_000,
      });
      const { Dir } = ModuleInfo.parse(JSON.parse(answer));
      const crds = 'pkg/k8s/apis/cilium.io/client/crds';
      await cp(join(Dir, 'bpf'), join(unfinished, 'bpf'), { recursive: true });
      for (const version of ['v2', 'v2alpha1'])
        await cp(join(Dir, crds, version), join(unfinished, 'crds', version), { recursive: true });
      // A module's files are read-only; Cilium writes beside them, and the cache must be removable.
      await runOk('chmod', ['-R', 'u+w', unfinished], { signal });
    },
    check: async (unfinished) => {
      readFileSync(join(unfinished, 'bpf', 'bpf_lxc.c'));
    },
  };
}

/** The kubectl that belongs to the clusters; throws if it is not built. */
export function kubectlPath(env: NodeJS.ProcessEnv = process.env): string {
  return builtPrograms(defaultWorkshop(env), [{ module: 'kubernetes', name: 'kubectl' }]).path('kubectl');
}

/** Removes all that was built for any cluster. */
export function removeCache(cacheRoot: string): void {
  rmSync(cacheRoot, { recursive: true, force: true });
}
