import { beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, silentLog, type Log } from '@drydock/core';
import { PodSettings } from '../launchers/pod-settings.ts';
import { defaultPolicy } from './default-policy.ts';
import { HandPolicies, aPolicy } from '../testing/hand-policies.ts';
import { ObjectPolicySource } from './object-policy-source.ts';

const project = { forge: 'gitlab', projectId: '42', projectPath: 'payments/api' };
const fallback = defaultPolicy(ReviewPolicy.parse({ maxComments: 7 }), PodSettings.parse({ cpu: '2' }));
let objects: HandPolicies;
let logged: string[];
let source: ObjectPolicySource;
beforeEach(() => {
  objects = new HandPolicies();
  logged = [];
  const keep: Log['info'] = ({ policy }, message) => logged.push(`${policy ?? ''}: ${message}`);
  source = new ObjectPolicySource(objects, fallback, { ...silentLog, info: keep, error: keep });
});

describe('ObjectPolicySource', () => {
  it('applies the default where no object is for the project', () => {
    objects.set(aPolicy('other', { projects: ['other/*'] }));

    expect(source.policyFor(project)).toEqual({ kind: 'applies', policy: fallback });
  });

  it('applies what an object says from the next decision on, and again the default when it is gone', () => {
    const first = aPolicy('payments', { projects: ['payments/*'], review: { maxComments: 3 } });

    objects.set(first);
    expect(source.policyFor(project)).toMatchObject({ policy: { name: 'payments', review: { maxComments: 3 } } });
    objects.set(aPolicy('payments', { projects: ['payments/*'], review: { maxComments: 4 } }, 2));
    expect(source.policyFor(project)).toMatchObject({ policy: { generation: 2, review: { maxComments: 4 } } });
    objects.remove(first);
    expect(source.policyFor(project)).toEqual({ kind: 'applies', policy: fallback });

    expect(logged).toEqual(['payments: policy applies', 'payments: policy applies', 'payments: policy is gone']);
  });

  it('says nothing when only a status changed', () => {
    objects.set(aPolicy('payments', { projects: ['payments/*'] }));
    objects.set(aPolicy('payments', { projects: ['payments/*'] }));

    expect(logged).toEqual(['payments: policy applies']);
  });

  it('holds back the projects of an object that cannot be applied', () => {
    objects.set(aPolicy('wide', { projects: ['*'] }));
    objects.set(aPolicy('payments', { projects: ['payments/*'], review: { budget: { usdPerRun: 'much' } } }));

    expect(source.policyFor(project)).toEqual({ kind: 'held', name: 'payments' });
    expect(logged.at(-1)).toBe('payments: policy is invalid: reviews of its projects are held back');
  });

  it("lays a policy's pods over the scheduler's settings", () => {
    const pod = {
      resources: { memory: '3Gi', ephemeralStorage: '4Gi' },
      runtimeClassName: 'gvisor',
      hostUsers: false,
      nodeSelector: { pool: 'reviews' },
      tolerations: [{ key: 'dedicated', value: 'reviews', effect: 'NoSchedule' }],
    };
    objects.set(aPolicy('payments', { projects: ['payments/*'], pod }));

    expect(source.policyFor(project)).toMatchObject({
      policy: {
        pod: {
          ...fallback.pod,
          memory: '3Gi',
          ephemeralStorage: '4Gi',
          workSize: String(3 * 2 ** 30),
          runtimeClassName: 'gvisor',
          hostUsers: false,
          nodeSelector: { pool: 'reviews' },
          tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'reviews', effect: 'NoSchedule' }],
        },
      },
    });
  });

  it('gives each project of a policy its weight, and no more than the policy may run', () => {
    objects.set(aPolicy('payments', { projects: ['payments/*'], concurrency: { maxRunning: 4, weight: 3 } }));
    objects.set(aPolicy('docs', { projects: ['docs/*'], concurrency: { maxRunning: 4, maxRunningPerProject: 1 } }));

    expect(source.policyFor(project)).toMatchObject({ policy: { maxRunning: 4, share: { weight: 3, maxRunning: 4 } } });
    expect(source.policyFor({ ...project, projectPath: 'docs/a' })).toMatchObject({
      policy: { maxRunning: 4, share: { weight: 1, maxRunning: 1 } },
    });
  });
});
