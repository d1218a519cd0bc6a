import { Counter, Histogram, type Registry } from 'prom-client';

/** What the Kubernetes launcher counts. */
export interface KubeLauncherMetrics {
  jobCreated(): void;
  /** An agent runs, so long after its Job was made. */
  running(ms: number): void;
  /** A pod was taken away without its node's word. */
  forced(): void;
  alarm(what: string): void;
}

const secondsBuckets = [0.5, 1, 2, 4, 7, 10, 20, 40, 60, 120, 300, 600];

/** Registers the metrics. `alarm` is the scheduler's own. */
export function createKubeLauncherMetrics(registry: Registry, alarm: (what: string) => void): KubeLauncherMetrics {
  const registers = [registry];
  const created = new Counter({ name: 'drydock_jobs_created_total', help: 'Jobs that were created', registers });
  const running = new Histogram({
    name: 'drydock_job_to_running_seconds',
    help: 'From the creation of a Job to its agent at work, preflight included',
    buckets: secondsBuckets,
    registers,
  });
  const forced = new Counter({
    name: 'drydock_pods_forced_total',
    help: 'Pods taken away by force, because they did not go: their nodes may be lost',
    registers,
  });
  return {
    jobCreated: () => {
      created.inc();
    },
    running: (ms) => {
      running.observe(ms / 1000);
    },
    forced: () => {
      forced.inc();
    },
    alarm,
  };
}
