import { parseArgs } from 'node:util';
import { useCluster } from '../cluster/start-cluster.ts';
import { installChart } from './chart/install-chart.ts';

// node scripts/install-chart.ts [full|bridge|control-plane] [--name NAME]: into a cluster that `make cluster` started.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string', default: 'dev' }, fresh: { type: 'boolean' } },
});
const [level = 'full'] = positionals;
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupted.abort());
const say = (text: string) => process.stderr.write(`${text}\n`);

if (level === 'full' || level === 'bridge') {
  try {
    const { signal } = interrupted;
    const cluster = await useCluster({ name: values.name, level, isKept: true, signal, onProgress: say });
    await installChart(cluster, { signal, onProgress: say });
    say('Drydock is installed in it: kubectl -n drydock get pods');
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = interrupted.signal.aborted ? 130 : 1;
  }
}
