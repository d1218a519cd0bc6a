import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { cliReference } from './generate/cli-reference.ts';
import { configReference } from './generate/config-reference.ts';
import { faultMatrix, testsWithRows } from './generate/fault-matrix.ts';
import { metricsReference } from './generate/metrics-reference.ts';
import { openApiReference } from './generate/open-api-reference.ts';
import { root } from './run-command.ts';

/** Every file that is made from the sources, by its path; `make check` fails when one on disk differs. */
const generated: Readonly<Record<string, () => Promise<string>>> = {
  'docs/reference/cli.md': () => cliReference(root),
  'docs/reference/config.md': () => configReference(root),
  'docs/reference/fault-matrix.md': () => Promise.resolve(faultMatrix(testsWithRows(root))),
  'docs/reference/metrics.md': () => metricsReference(root),
  'docs/reference/openapi.json': () => openApiReference(root),
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });

for (const [path, make] of Object.entries(generated)) {
  const file = join(root, path);
  const wanted = await format(await make(), { filepath: file, printWidth: 120 });
  const found = await readFile(file, 'utf8').catch(() => null);
  if (found === wanted) continue;
  if (values.check) {
    process.stdout.write(`${path} is not what its sources say: make fix, and commit it.\n`);
    process.exitCode = 1;
    continue;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, wanted);
  process.stdout.write(`wrote ${path}\n`);
}
