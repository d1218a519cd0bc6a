import { describe, expect, it } from '@jest/globals';
import type { KubeEvent } from '@drydock/kube';
import { podRefusal } from './refused-pod.ts';

function anEvent(message: string, at = '2026-01-01T00:00:00Z', reason = 'FailedCreate'): KubeEvent {
  return {
    metadata: {
      ...{ name: 'dd-1.1', uid: 'u', resourceVersion: '1', creationTimestamp: at },
      ...{ labels: {}, annotations: {}, finalizers: [], ownerReferences: [] },
    },
    reason,
    message,
    lastTimestamp: at,
    involvedObject: { kind: 'Job' },
  };
}

describe('podRefusal', () => {
  it.each([
    ['a wrong RuntimeClass', 'pods "dd-1-x" is forbidden: pod rejected: RuntimeClass "gvisro" not found', 'config'],
    ['a LimitRange', 'pods "dd-1-x" is forbidden: maximum cpu usage per Container is 1, but limit is 2', 'config'],
    ['Pod Security', 'pods "dd-1-x" is forbidden: violates PodSecurity "restricted:latest": privileged', 'config'],
    [
      'no ServiceAccount',
      'pods "dd-1-" is forbidden: error looking up service account t/drydock-agent: serviceaccount "drydock-agent" not found',
      'config',
    ],
    ['no PriorityClass', 'pods "dd-1-" is forbidden: no PriorityClass with name agents was found', 'config'],
    ['a webhook that refuses', 'admission webhook "validate.kyverno.svc" denied the request: no', 'config'],
    ['a quota', 'pods "dd-1-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0', 'capacity'],
    [
      'a webhook that is away',
      'Internal error occurred: failed calling webhook "validate.kyverno.svc": connect: connection refused',
      'capacity',
    ],
  ] as const)('tells what a person must mend from what may pass: %s', (_name, message, cls) => {
    const events = [anEvent(`Error creating: ${message}`)];

    const refusal = podRefusal(events);

    expect(refusal).toEqual({ class: cls, reason: 'FailedCreate', message });
  });

  it('goes by what was said last, in whatever order the events come', () => {
    const [old, newer] = [
      anEvent('Error creating: exceeded quota: q', '2026-01-01T00:00:00Z'),
      anEvent('(combined from similar events): Error creating: no', '2026-01-01T00:00:09Z'),
    ];

    expect(podRefusal([newer, old])).toMatchObject({ class: 'config', message: 'no' });
    expect(podRefusal([old, newer])).toMatchObject({ class: 'config', message: 'no' });
  });

  it('says nothing where no event tells of a refusal, or a pod was made after it', () => {
    const [refused, made] = [
      anEvent('Error creating: no'),
      anEvent('Created pod: dd-1-x', undefined, 'SuccessfulCreate'),
    ];

    expect(podRefusal([])).toBeNull();
    expect(podRefusal([anEvent('slow', undefined, 'Other')])).toBeNull();
    expect(podRefusal([refused, made])).toBeNull();
  });

  it('keeps what others say to one short line', () => {
    expect(podRefusal([anEvent(`a\n\tb${'c'.repeat(5000)}`)])?.message).toHaveLength(300);
  });
});
