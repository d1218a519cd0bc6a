import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Registry } from 'prom-client';
import { z } from 'zod';

/** Each process, and the packages beside its own whose metrics it registers. */
const processes = { server: [], scheduler: ['kube'], gateway: ['kube'] } as const;

const intro = `<!-- Generated from packages/*/src/**/*metrics.ts by scripts/generate.ts; \`make fix\` writes it again. -->

# Metrics

Each process answers \`GET /metrics\` in the format of Prometheus (the gateway only with the control token), together with those of the Node process. \`drydock dev\` has
all of them on the server's port. Labels are bounded: classes, reasons and names of forges, never a project, a merge request or a person.
\`class\` is the kind of task, such as \`review\`.
`;

const Factory = z.custom<(registry: Registry) => unknown>((value) => typeof value === 'function');
const Metric = z.object({
  name: z.string(),
  help: z.string(),
  labelNames: z.array(z.string()).default([]),
  type: z.string(),
});

/** The page of all metrics: one table for each process, from what its `create…Metrics` functions register. */
export async function metricsReference(root: string): Promise<string> {
  const parts = [intro];
  for (const [name, others] of Object.entries(processes)) {
    const registry = new Registry();
    const files = [name, ...others].flatMap((room) =>
      globSync(join(root, 'packages', room, 'src', '**', '*metrics.ts')),
    );
    for (const file of files.sort()) {
      const exported = z.record(z.string(), z.unknown()).parse({ ...(await import(pathToFileURL(file).href)) });
      for (const [key, value] of Object.entries(exported)) {
        if (/^create\w*Metrics$/.test(key)) Factory.parse(value)(registry);
      }
    }
    const registered = registry.getMetricsAsArray().map((metric) => Metric.parse(metric));
    // All of them log.
    const rooms = [name, 'log'].map((room) => join(root, 'packages', room, 'src'));
    const lonely = await Promise.all(rooms.map(lonelyMetrics));
    const rows = [...registered, ...lonely.flat()]
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .map(({ name: metric, help, labelNames, type }) => {
        const labels = labelNames.map((label) => `\`${label}\``).join(', ');
        return `| \`${metric}\` | ${type} | ${labels} | ${help} |\n`;
      });
    parts.push(`## ${name}\n\n| Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`);
  }
  return parts.join('\n');
}

const lonelyForm =
  /new (Counter|Gauge|Histogram)\(\{\s*name: '(drydock_\w+)',\s*help: (['"])(.*?)\3,(?:\s*labelNames: \[(.*?)\],)?/gs;

/** Metrics that stand beside what they count, in files that cannot be run here: told from their text. */
async function lonelyMetrics(folder: string): Promise<z.infer<typeof Metric>[]> {
  const files = globSync(join(folder, '**', '*.ts')).filter((file) => !/(?:metrics|[.]test)[.]ts$/.test(file));
  const texts = await Promise.all(files.sort().map((file) => readFile(file, 'utf8')));
  return texts.flatMap((text) =>
    [...text.matchAll(lonelyForm)].map(([, type = '', name = '', , help = '', labels = '']) => ({
      name,
      help,
      type: type.toLowerCase(),
      labelNames: [...labels.matchAll(/'(\w+)'/g)].map(([, label = '']) => label),
    })),
  );
}
