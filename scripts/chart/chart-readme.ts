import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { chartFolder, readChartValues } from './chart-values.ts';

const Chart = z.object({ name: z.string(), version: z.string(), description: z.string(), kubeVersion: z.string() });

/** The README of the chart: what it is, and a table of its values. */
export function chartReadme(root: string): string {
  const chart = Chart.parse(parse(readFileSync(join(root, chartFolder, 'Chart.yaml'), 'utf8')));
  const rows = readChartValues(root).map(({ path, description, fallback }) => [
    `\`${path.join('.')}\``,
    `\`${JSON.stringify(fallback)}\``,
    description,
  ]);
  const table = [['Value', 'Default', 'Meaning'], ['---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('');
  return `<!-- Generated from values.yaml by scripts/generate.ts; \`make fix\` writes it again. -->

# ${chart.name}

${chart.description}. Kubernetes ${chart.kubeVersion.replace(/-0$/, '')}.

How to install, upgrade and uninstall it: [On Kubernetes](../../../docs/guide/kubernetes.md).

\`settings\` of a process takes every variable of [its settings](../../../docs/reference/config.md) that the chart does not set itself; a
value that does not exist is refused, by name.

## Values

${table}`;
}
