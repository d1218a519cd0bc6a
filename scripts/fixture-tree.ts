import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './run-command.ts';

/** A throw-away checkout: the files given, our tsconfig.json, Node's types, and packages that resolve as ours do. */
export interface FixtureTree extends AsyncDisposable {
  readonly folder: string;
}

/** Lays out `files` (path to content). `packages` are ours, by folder name; `vendors` are empty stand-ins. */
export async function createFixtureTree(
  files: Readonly<Record<string, string>>,
  packages: readonly string[] = [],
  vendors: readonly string[] = [],
): Promise<FixtureTree> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-rules-'));
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  };
  await cp(join(root, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  await write('package.json', JSON.stringify({ name: 'fixture', type: 'module', workspaces: ['packages/*'] }));
  await mkdir(join(folder, 'node_modules', '@drydock'), { recursive: true });
  for (const types of ['@types', 'undici-types']) {
    await symlink(join(root, 'node_modules', types), join(folder, 'node_modules', types));
  }
  for (const name of packages) {
    const exports = { '.': './src/index.ts', './review': './src/review/index.ts' };
    const manifest = { name: `@drydock/${name}`, type: 'module', exports };
    await write(`packages/${name}/package.json`, JSON.stringify(manifest));
    await write(`packages/${name}/src/index.ts`, 'export const here = 1;\n');
    await symlink(join('..', '..', 'packages', name), join(folder, 'node_modules', '@drydock', name));
  }
  for (const name of vendors) {
    await write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    await write(`node_modules/${name}/index.js`, 'module.exports = {};\n');
  }
  for (const [path, content] of Object.entries(files)) await write(path, content);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
