import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { root } from '../run-command.ts';
import { metricsReference } from './metrics-reference.ts';

const namesIn = (text: string, pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name = '']) => name));

/** The metrics of the queue that the packaging conventions name. */
const ofTheQueue = [
  'drydock_queue_depth',
  'drydock_queue_oldest_seconds',
  'drydock_events_deduplicated_total',
  'drydock_tasks_total',
  'drydock_slots_free',
  'drydock_running_tasks',
  'drydock_fence_rejections_total',
  'drydock_superseded_total',
  'drydock_adopted_total',
  'drydock_event_to_job_seconds',
];

describe('docs/reference/metrics.md', () => {
  it('names the metrics that the code registers, all of them and no other', async () => {
    const page = await readFile(join(root, 'docs', 'reference', 'metrics.md'), 'utf8');
    const documented = namesIn(page, /^\| `(drydock_\w+)`/gm);
    const sources = globSync(join(root, 'packages', '{server,scheduler,gateway,log,kube}', 'src', '**', '*.ts')).filter(
      (file) => !file.endsWith('.test.ts'),
    );
    const code = (await Promise.all(sources.map((file) => readFile(file, 'utf8')))).join('\n');

    expect([...documented].sort()).toEqual([...namesIn(code, /name: '(drydock_\w+)'/g)].sort());
    expect([...documented]).toEqual(expect.arrayContaining(ofTheQueue));
  });

  it('has a meaning for each, and no label that could grow with use', async () => {
    const rows = [...(await metricsReference(root)).matchAll(/^\| `(drydock_\w+)` \| \w+ \| (.*?) \| (.*) \|$/gm)];

    expect(rows.length).toBeGreaterThan(30);
    for (const [, name, labels = '', help = ''] of rows) {
      expect([name, help.length > 10]).toEqual([name, true]);
      expect([name, /project|iid|path|task_id|run|user|sha/.test(labels)]).toEqual([name, false]);
    }
  });
});
