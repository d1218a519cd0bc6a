import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { moduleFolder, requiredVersion } from './go-build.ts';
import { isNewEnough } from './go-toolchain.ts';
import { levels, programsOf } from './levels.ts';
import { toolModules } from './programs.ts';

const tools = join(import.meta.dirname, '..', 'tools');
const goModOf = (name: string) => readFileSync(join(tools, name, 'go.mod'), 'utf8');

describe('the tools modules', () => {
  it.each(toolModules)('name as tools what is built of $name', ({ name, programs }) => {
    const goMod = goModOf(name);

    for (const { goPackage } of programs) expect(goMod).toContain(goPackage);
  });

  it('agree on the version of Kubernetes', () => {
    const versions = ['kubernetes', 'kube-proxy'].map((name) => requiredVersion(goModOf(name), 'k8s.io/kubernetes'));

    expect(versions).toEqual(['1.36.3', '1.36.3']);
  });

  it.each(levels)('hold every program of the level %s', (level) => {
    const known = toolModules.flatMap(({ name, programs }) => programs.map((program) => `${name}/${program.name}`));

    for (const { module, name } of programsOf(level)) expect(known).toContain(`${module}/${name}`);
  });

  it('are kept in a folder that tells the version, and changes with all that could change a program', () => {
    const [module] = toolModules;
    if (module === undefined) throw new Error('there are modules');
    const source = { module, folder: '', goMod: goModOf(module.name), goSum: 'a' };

    const folder = moduleFolder(source, 'linux-x64');

    expect(folder).toMatch(/^kubernetes-1\.36\.3-[0-9a-f]{12}$/);
    expect(moduleFolder({ ...source, goSum: 'b' }, 'linux-x64')).not.toBe(folder);
    expect(moduleFolder(source, 'linux-arm64')).not.toBe(folder);
  });
});

describe('isNewEnough', () => {
  it.each([
    ['go version go1.26.8 linux/amd64', true],
    ['go version go1.27.0 linux/amd64', true],
    ['go version go1.26.7 linux/amd64', false],
    ['go version go1.19.8 linux/amd64', false],
    ['go version devel linux/amd64', false],
  ])('%s: %s', (line, answer) => {
    expect(isNewEnough(line)).toBe(answer);
  });
});
