import { createHash } from 'node:crypto';
import type { Program, ToolModule } from './programs.ts';

/** A tools module as it is in the checkout. */
export interface ModuleSource {
  readonly module: ToolModule;
  /** Where its go.mod is. */
  readonly folder: string;
  readonly goMod: string;
  readonly goSum: string;
}

/** The version of an upstream that a go.mod requires, without its v. */
export function requiredVersion(goMod: string, modulePath: string): string {
  const required = goMod.split('\n').map((line) =>
    line
      .trim()
      .replace(/^require /, '')
      .split(' '),
  );
  const version = required.find(([path]) => path === modulePath)?.[1];
  if (version === undefined) throw new Error(`go.mod requires no ${modulePath}`);
  return version.replace(/^v/, '');
}

/** The folder in the cache: another name as soon as anything differs that could make other programs. */
export function moduleFolder({ module, goMod, goSum }: ModuleSource, machine: string): string {
  const flags = module.programs.map((program) => goBuildArgs(program, 'x', 'x'));
  const hash = createHash('sha256')
    .update(JSON.stringify([goMod, goSum, flags, machine]))
    .digest('hex');
  return `${module.name}-${requiredVersion(goMod, module.modulePath)}-${hash.slice(0, 12)}`;
}

/** The arguments of `go`; the flags are those that the upstreams release with, as far as they matter here. */
export function goBuildArgs({ tags, stamp, goPackage }: Program, version: string, output: string): readonly string[] {
  const stamped = stamp === undefined ? '' : ` ${stamp.replaceAll('{version}', version)}`;
  return [
    ...['build', '-trimpath', '-mod=readonly', '-buildvcs=false'],
    ...(tags === undefined ? [] : ['-tags', tags]),
    ...['-ldflags', `-s -w${stamped}`, '-o', output, goPackage],
  ];
}

/** What changes the result of a build beyond its arguments. */
export function goBuildEnvironment({ cgo = false }: Program): Readonly<Record<string, string>> {
  return { CGO_ENABLED: cgo ? '1' : '0', GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '' };
}
