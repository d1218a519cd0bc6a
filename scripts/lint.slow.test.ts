import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createFixtureTree } from './fixture-tree.ts';
import { root, runCommand } from './run-command.ts';

const Report = z.array(
  z.object({ filePath: z.string(), messages: z.array(z.object({ ruleId: z.string().nullable() })) }),
);

/** Lints files as if they stood in our checkout, and returns the rules that each one breaks. */
async function rulesBrokenBy(files: Readonly<Record<string, string>>): Promise<Record<string, (string | null)[]>> {
  const config = `export { default } from '${pathToFileURL(join(root, 'eslint.config.js')).href}';\n`;
  await using tree = await createFixtureTree({ ...files, 'eslint.config.js': config });
  const { output } = await runCommand('eslint', ['--format', 'json', 'packages'], { cwd: tree.folder });
  const broken: Record<string, (string | null)[]> = {};
  for (const { filePath, messages } of Report.parse(JSON.parse(output))) {
    const rules = [...new Set(messages.map((message) => message.ruleId))].sort();
    if (rules.length > 0) broken[filePath.slice(tree.folder.length + 1)] = rules;
  }
  return broken;
}

describe('the lint rules', () => {
  it('let through what the house style allows', async () => {
    const broken = await rulesBrokenBy({
      'packages/server/src/main.ts': `process.stdout.write(String(process.env['PORT']));\n`,
      'packages/server/src/index.ts': `export { port, type Port } from './port.ts';\n`,
      'packages/server/src/port.ts': [
        '/** Where to listen. */',
        'export const port = 1;',
        '/** A number between 1 and 65535. */',
        'export type Port = number;',
        'export const inside = 2;',
      ].join('\n'),
      'packages/server/src/kind.ts': [
        '/** Says how many legs. */',
        `export function legsOf(kind: 'cat' | 'bird'): number {`,
        `  switch (kind) { case 'cat': return 4; case 'bird': return 2; }`,
        '}',
      ].join('\n'),
      'packages/server/src/port.test.ts': `if (process.env['UPDATE_GOLDEN'] === '1') process.exitCode = 1;\n`,
    });

    expect(broken).toEqual({});
  });

  it('find what the house style bans', async () => {
    const broken = await rulesBrokenBy({
      'packages/server/src/any.ts': `export const a = (x: any) => x;\n`,
      'packages/server/src/bang.ts': `export const a = (x: string | null) => x!.length;\n`,
      'packages/server/src/console.ts': `console.log('x');\n`,
      'packages/server/src/default.ts': `export default 1;\n`,
      'packages/server/src/environment.ts': `export const a = process.env['A'];\n`,
      'packages/server/src/environment-import.ts': `import { env } from 'node:process';\nexport const a = env;\n`,
      'packages/server/src/environment-global.ts': `export const a = globalThis.process.env;\n`,
      'packages/server/src/floating.ts': `Promise.resolve(1);\n`,
      'packages/server/src/index.ts': `export { secret } from './undocumented.ts';\n`,
      'packages/server/src/undocumented.ts': `export const secret = 1;\n`,
      'packages/server/src/mock.test.ts': `declare const jest: { mock(name: string): void };\njest.mock('x');\n`,
      'packages/server/src/no-docstring.ts': `export function a(): number {\n  return 1;\n}\n`,
      'packages/server/src/star.ts': `export * from './undocumented.ts';\n`,
      'packages/server/src/switch.ts': `export const a = (kind: 'x' | 'y') => {\n  switch (kind) { case 'x': return 1; }\n  return 2;\n};\n`,
      'packages/server/src/types-in-jsdoc.ts': `/** Doubles. @see y\n * @param {number} x the one to double\n */\nexport function a(x: number): number {\n  return x * 2;\n}\n`,
    });

    expect(broken).toEqual({
      'packages/server/src/any.ts': expect.arrayContaining(['@typescript-eslint/no-explicit-any']),
      'packages/server/src/bang.ts': ['@typescript-eslint/no-non-null-assertion'],
      'packages/server/src/console.ts': ['no-console'],
      'packages/server/src/default.ts': ['no-restricted-syntax'],
      'packages/server/src/environment.ts': ['no-restricted-properties'],
      'packages/server/src/environment-import.ts': ['no-restricted-syntax'],
      'packages/server/src/environment-global.ts': ['no-restricted-syntax'],
      'packages/server/src/floating.ts': ['@typescript-eslint/no-floating-promises'],
      'packages/server/src/index.ts': ['drydock/documented-index'],
      'packages/server/src/mock.test.ts': ['no-restricted-syntax'],
      'packages/server/src/no-docstring.ts': ['jsdoc/require-jsdoc'],
      'packages/server/src/star.ts': ['no-restricted-syntax'],
      'packages/server/src/switch.ts': ['@typescript-eslint/switch-exhaustiveness-check'],
      'packages/server/src/types-in-jsdoc.ts': ['jsdoc/no-types'],
    });
  });
});
