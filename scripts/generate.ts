import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { chartReadme } from './chart/chart-readme.ts';
import { chartFolder } from './chart/chart-values.ts';
import { plainManifests } from './chart/plain-manifests.ts';
import { valuesSchema } from './chart/values-schema.ts';
import { cliReference } from './generate/cli-reference.ts';
import { configReference } from './generate/config-reference.ts';
import { faultMatrix, testsWithRows } from './generate/fault-matrix.ts';
import { metricsReference } from './generate/metrics-reference.ts';
import { openApiReference } from './generate/open-api-reference.ts';
import { reviewPolicyCrd } from './generate/review-policy-crd.ts';
import { root } from './run-command.ts';

/** Every file that is made from the sources, by its path; `make check` fails when one on disk differs. */
const generated: Readonly<Record<string, () => Promise<string>>> = {
  [`${chartFolder}/values.schema.json`]: () => valuesSchema(root),
  [`${chartFolder}/README.md`]: () => Promise.resolve(chartReadme(root)),
  'deploy/helm/drydock/files/crds/reviewpolicies.drydock.dev.yaml': () => Promise.resolve(reviewPolicyCrd()),
  'docs/reference/cli.md': () => cliReference(root),
  'docs/reference/config.md': () => configReference(root),
  'docs/reference/fault-matrix.md': () => Promise.resolve(faultMatrix(testsWithRows(root))),
  'docs/reference/metrics.md': () => metricsReference(root),
  'docs/reference/openapi.json': () => openApiReference(root),
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });

async function keepCurrent(path: string, text: string): Promise<void> {
  const file = join(root, path);
  const wanted = await format(text, { filepath: file, printWidth: 120, singleQuote: true });
  const found = await readFile(file, 'utf8').catch(() => null);
  if (found === wanted) return;
  if (values.check) {
    process.stdout.write(`${path} is not what its sources say: make fix, and commit it.\n`);
    process.exitCode = 1;
    return;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, wanted);
  process.stdout.write(`wrote ${path}\n`);
}

for (const [path, make] of Object.entries(generated)) await keepCurrent(path, await make());
// Helm reads some of the files above.
for (const [file, text] of Object.entries(await plainManifests(root))) await keepCurrent(`k8s/${file}`, text);
