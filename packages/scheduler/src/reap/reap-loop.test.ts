import { describe, expect, it } from '@jest/globals';
import { TerminalError, TransientError, silentLog, type DrydockError } from '@drydock/core';
import { jobs } from '@drydock/kube';
import { ManualClock } from '@drydock/testkit';
import { Registry } from 'prom-client';
import { annotationNames, labelNames } from '../launchers/kube/job-labels.ts';
import { jobFacts } from '../launchers/kube/run-facts.ts';
import { createReapMetrics } from './reap-metrics.ts';
import { reapOnce } from './reap-loop.ts';

const runs = { odd: 'strange-1', good: '0123456789abcdef-1' };

/** As an API server tells of it. */
function aJobOf(runId: string) {
  return {
    metadata: {
      name: `dd-${runId}`,
      namespace: 'tasks',
      uid: `uid of ${runId}`,
      resourceVersion: '1',
      creationTimestamp: new Date(0).toISOString(),
      labels: { [labelNames.managedBy]: 'drydock', [labelNames.instance]: 'drydock', [labelNames.run]: runId },
      annotations: { [annotationNames.taskId]: `task of ${runId}` },
    },
    spec: {},
  };
}

describe('one odd Job', () => {
  it.each<[string, 'readRun' | 'get' | 'delete', DrydockError]>([
    ['that the gateway refuses', 'readRun', new TerminalError('request.malformed', 'no such path')],
    ['that the queue cannot read', 'get', new TransientError('queue.unreachable', 'closed')],
    ['that the API server does not delete', 'delete', new TransientError('kube.unavailable', 'a webhook is down')],
  ])('%s keeps no other from being removed, and is counted', async (_which, where, error) => {
    const there = new Map([runs.odd, runs.good].map((runId) => [`dd-${runId}`, aJobOf(runId)]));
    const failAt = (call: typeof where, of: string) => {
      if (call === where && of.includes(runs.odd)) throw error;
    };
    const registry = new Registry();

    await reapOnce(
      {
        client: {
          read: async (resource, { name }) => resource.parse(there.get(name)),
          delete: async (_resource, { name }) => {
            failAt('delete', name);
            return there.delete(name) ? 'done' : 'absent';
          },
        },
        jobs: () => [...there.values()].map((job) => jobFacts(jobs.parse(job))),
        queue: {
          get: async (taskId) => {
            failAt('get', taskId);
            return null;
          },
        },
        gateway: {
          readRun: async (runId) => {
            failAt('readRun', runId);
            return null;
          },
          revokeRun: () => Promise.resolve(),
        },
        isLeader: () => true,
        clock: new ManualClock(),
        log: silentLog,
        metrics: createReapMetrics(registry),
      },
      { namespace: 'tasks', instance: 'drydock', everyMs: 1000, ageFloorMs: 0, orphanAgeMs: 1, mostFinished: 10 },
      new AbortController().signal,
    );

    expect([...there.keys()]).toEqual([`dd-${runs.odd}`]);
    expect(await registry.metrics()).toContain('drydock_reap_skipped_total{reason="unreadable"} 1');
  });
});
