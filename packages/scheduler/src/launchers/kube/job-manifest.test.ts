import { describe, expect, it } from '@jest/globals';
import { numbersPerEpoch, runIdOf } from '@drydock/core';
import { goldenText } from '@drydock/testkit';
import fc from 'fast-check';
import { aJobRun, jobSettings } from '../../testing/job-settings.ts';
import { annotationNames, jobName } from './job-labels.ts';
import { buildJob } from './job-manifest.ts';
import { PodSettings } from '../pod-settings.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

const defaults = PodSettings.parse({});

function golden(name: string, pod: PodSettings): void {
  const text = `${JSON.stringify(buildJob(aJobRun(), jobSettings, pod), null, 2)}\n`;
  expect(text).toBe(goldenText(import.meta.url, name, text));
}

describe('the Job of a run', () => {
  it('is as written down', () => {
    golden('job.json', defaults);
  });

  it('runs in a runtime class and a user namespace of its own where policy says so', () => {
    golden('job-sealed.json', { ...defaults, runtimeClassName: 'gvisor', hostUsers: false });
  });

  it('has the resources and the place that policy says', () => {
    golden(
      'job-large.json',
      PodSettings.parse({
        cpu: '4',
        memory: '8Gi',
        ephemeralStorage: '20Gi',
        workSize: '16Gi',
        nodeSelector: { 'drydock.dev/pool': 'agents' },
        tolerations: [{ key: 'drydock.dev/agents', operator: 'Exists', effect: 'NoSchedule' }],
        priorityClassName: 'drydock-agents',
      }),
    );
  });

  it('gives the agent no credential of the cluster, and of the gateway only what the preflight writes', () => {
    const pod = buildJob(aJobRun(), jobSettings, defaults).spec?.template.spec;

    expect(pod?.automountServiceAccountToken).toBe(false);
    const agent = pod?.containers.find(({ name }) => name === 'agent');
    expect(agent?.volumeMounts?.map(({ name, readOnly }) => [name, readOnly ?? false])).toEqual([
      ['run', true],
      ['work', false],
    ]);
    expect(agent?.env?.map(({ name, valueFrom }) => [name, valueFrom])).toEqual([
      ['DRYDOCK_GATEWAY_URL', undefined],
      ['DRYDOCK_RUN_TOKEN_FILE', undefined],
      ['DRYDOCK_WORK_DIR', undefined],
      ['HOME', undefined],
    ]);
    expect(JSON.stringify(pod)).not.toMatch(/secretKeyRef|envFrom|hostPath|subPath/);
  });

  it('has a hash of all but its name', () => {
    const hashOf = (pod: PodSettings, spare = 0) =>
      buildJob(aJobRun(), jobSettings, pod, spare).metadata?.annotations?.[annotationNames.specHash];

    expect(hashOf(defaults)).toMatch(/^[0-9a-f]{32}$/);
    expect(hashOf(defaults, 1)).toBe(hashOf(defaults));
    expect(hashOf({ ...defaults, memory: '2Gi' })).not.toBe(hashOf(defaults));
  });

  it('reported 45: has names and labels that Kubernetes takes, whatever it is about', () => {
    const label = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
    fc.assert(
      fc.property(
        fc.string({ unit: anyCharacter, maxLength: 500 }),
        fc.integer({ min: 1, max: 2_000_000_000 }),
        fc.integer({ min: 1, max: numbersPerEpoch - 1 }),
        fc.integer({ min: 0, max: 9 }),
        (taskId, epoch, count, spare) => {
          const runId = runIdOf(taskId, epoch * numbersPerEpoch + count);

          const { metadata } = buildJob({ ...aJobRun(), runId }, jobSettings, defaults, spare);

          expect(metadata?.name).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
          expect(metadata?.name?.length).toBeLessThanOrEqual(63 - '-abcde'.length);
          for (const value of Object.values(metadata?.labels ?? {})) expect(value).toMatch(label);
        },
      ),
    );
  });

  it('reported 29: asks for one pod, once, and for no other before that one has ended', () => {
    expect(buildJob(aJobRun(), jobSettings, defaults).spec).toMatchObject({
      parallelism: 1,
      completions: 1,
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      template: { spec: { restartPolicy: 'Never' } },
    });
  });

  it('reported 29: has another name for every launch, and for every spare', () => {
    expect(
      new Set([jobName('0123456789abcdef-1'), jobName('0123456789abcdef-2'), jobName('0123456789abcdef-1', 1)]).size,
    ).toBe(3);
  });
});
