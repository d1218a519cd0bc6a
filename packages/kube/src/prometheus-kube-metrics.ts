import { Counter, Gauge, type Registry } from 'prom-client';
import type { KubeMetrics } from './kube-metrics.ts';

/** Registers what a process counts of its Kubernetes API. */
export function createKubeMetrics(registry: Registry): KubeMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'drydock_api_requests_total',
    help: 'Calls of the Kubernetes API by verb, kind and status, or what happened instead of an answer',
    labelNames: ['verb', 'kind', 'code'],
    registers,
  });
  const throttled = new Counter({
    name: 'drydock_client_throttle_seconds',
    help: 'Seconds that calls of the Kubernetes API waited for their turn',
    registers,
  });
  const restarts = new Counter({
    name: 'drydock_watch_restarts_total',
    help: 'Ends of watches by cause; closed is the usual one',
    labelNames: ['kind', 'cause'],
    registers,
  });
  const ages = new Map<string, () => number>();
  new Gauge({
    name: 'drydock_watch_age_seconds',
    help: 'Since the Kubernetes API was last heard of a kind; a bookmark comes each minute',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset();
      for (const [kind, ageSeconds] of ages) this.set({ kind }, ageSeconds());
    },
  });
  const missed = new Counter({
    name: 'drydock_missed_events_total',
    help: 'Changes that no watch told of, found by an audit; any is a fault',
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
    help: 'Terms of this process as leader',
    labelNames: ['election'],
    registers,
  });
  return {
    requested: (verb, kind, code) => {
      requests.inc({ verb, kind, code });
    },
    throttled: (seconds) => {
      throttled.inc(seconds);
    },
    watchRestarted: (kind, cause) => {
      restarts.inc({ kind, cause });
    },
    watchAge: (kind, ageSeconds) => {
      ages.set(kind, ageSeconds);
      return () => {
        if (ages.get(kind) === ageSeconds) ages.delete(kind);
      };
    },
    missedEvents: (kind, count) => {
      missed.inc({ kind }, count);
    },
    leads: (election, isLeader) => {
      leader.set({ election }, isLeader ? 1 : 0);
      if (isLeader) transitions.inc({ election });
    },
  };
}
