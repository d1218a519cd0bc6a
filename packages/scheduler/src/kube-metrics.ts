import type { KubeMetrics } from '@drydock/kube';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Registers what a client of the Kubernetes API counts. */
export function createKubeMetrics(registry: Registry): KubeMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'drydock_api_requests_total',
    help: 'Calls of the Kubernetes API by what became of them',
    labelNames: ['verb', 'kind', 'code'],
    registers,
  });
  const throttled = new Histogram({
    name: 'drydock_client_throttle_seconds',
    help: 'Time that calls of the Kubernetes API waited for their turn',
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    registers,
  });
  const restarts = new Counter({
    name: 'drydock_watch_restarts_total',
    help: 'Watches that began again, by why',
    labelNames: ['kind', 'cause'],
    registers,
  });
  const ages = new Map<string, () => number>();
  new Gauge({
    name: 'drydock_watch_age_seconds',
    help: 'Since a watch heard of its server last',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, age] of ages) this.set({ kind }, age());
    },
  });
  const missed = new Counter({
    name: 'drydock_missed_events_total',
    help: 'Changes that no watch told of, found by an audit',
    labelNames: ['kind'],
    registers,
  });
  const leader = new Gauge({
    name: 'drydock_leader',
    help: '1 while this process leads',
    labelNames: ['election'],
    registers,
  });
  const transitions = new Counter({
    name: 'drydock_leader_transitions_total',
    help: 'Terms of this process that began or ended',
    labelNames: ['election'],
    registers,
  });
  const led = new Map<string, boolean>();
  return {
    requested: (verb, kind, code) => {
      requests.inc({ verb, kind, code });
    },
    throttled: (seconds) => {
      throttled.observe(seconds);
    },
    watchRestarted: (kind, cause) => {
      restarts.inc({ kind, cause });
    },
    watchAge: (kind, ageSeconds) => {
      ages.set(kind, ageSeconds);
      return () => ages.delete(kind);
    },
    missedEvents: (kind, count) => {
      missed.inc({ kind }, count);
    },
    leads: (election, isLeader) => {
      leader.set({ election }, isLeader ? 1 : 0);
      if (led.has(election) && led.get(election) !== isLeader) transitions.inc({ election });
      led.set(election, isLeader);
    },
  };
}
