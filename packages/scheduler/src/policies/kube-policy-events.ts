import { createHash } from 'node:crypto';
import { events, type CoreV1Event } from '@drydock/kube';
import { policyApiVersion, type PolicyCondition, type ReadPolicy } from '@drydock/policy';

/** Where events about policies go. */
export const policyEvents = events;

/** An event of Kubernetes about a policy that a person should look at. The same news twice is one event. */
export function policyEvent(policy: ReadPolicy, condition: PolicyCondition, namespace: string): CoreV1Event {
  const { name, uid, generation } = policy;
  const news = JSON.stringify([uid, generation, condition.type, condition.message]);
  const at = condition.lastTransitionTime;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${createHash('sha256').update(news).digest('hex').slice(0, 16)}`, namespace },
    involvedObject: { apiVersion: policyApiVersion, kind: 'ReviewPolicy', name, namespace, uid },
    type: 'Warning',
    reason: condition.type === 'Accepted' ? condition.reason : condition.type,
    message: condition.message.slice(0, 1024),
    source: { component: 'drydock-scheduler' },
    // RFC 3339 on the wire; client-node's type says Date, which becomes the same text.
    firstTimestamp: new Date(at),
    lastTimestamp: new Date(at),
    count: 1,
  };
}
