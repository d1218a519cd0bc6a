import { events, type KubeClient, type KubeEvent } from '@drydock/kube';
import type { Reason } from './run-facts.ts';

/**
 * Why Kubernetes makes no pod for a Job. No state of the Job tells it, only events do: the controller asks for the pod
 * again and again, and each refusal of admission is an event.
 */
export interface PodRefusal extends Reason {
  /** `capacity`: there may be room or an answer later. `config`: not until a person mends something. */
  readonly class: 'capacity' | 'config';
}

const quota = /exceeded quota|status unknown for quota|insufficient quota/;
const refused = /is forbidden|is invalid|denied (the )?request/;
/** Nobody refused: who was to judge did not answer. */
const unanswered =
  /failed calling webhook|internal error|timed? ?out|deadline exceeded|connection refused|no endpoints|too many requests|unavailable|etcdserver|try again/i;
const longestText = 300;

/** Null: no event says that a pod was refused, or one was made after all, whether or not it is seen yet. */
export function podRefusal(found: readonly KubeEvent[]): PodRefusal | null {
  if (found.some(({ reason }) => reason === 'SuccessfulCreate')) return null;
  const newest = found
    .filter(({ reason }) => reason === 'FailedCreate')
    .toSorted((one, other) => timeOf(one) - timeOf(other))
    .at(-1);
  if (newest === undefined) return null;
  const text = (newest.message ?? '').replace(/\s+/g, ' ').trim();
  const message = text.replace(/^\(combined from similar events\): /, '').replace(/^Error creating: /, '');
  return { class: classOf(message), reason: 'FailedCreate', message: message.slice(0, longestText) };
}

function classOf(message: string): PodRefusal['class'] {
  if (quota.test(message)) return 'capacity';
  if (refused.test(message)) return 'config';
  return message === '' || unanswered.test(message) ? 'capacity' : 'config';
}

/** Asks for the events of a Job, once. */
export async function findPodRefusal(
  client: KubeClient,
  { namespace, uid }: { readonly namespace: string; readonly uid: string },
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<PodRefusal | null> {
  const found: KubeEvent[] = [];
  const query = { namespace, fieldSelector: `involvedObject.uid=${uid}` };
  await client.listEach(events, query, limits, (event) => {
    found.push(event);
    if (found.length > mostEvents) found.shift();
  });
  return podRefusal(found);
}

/** The controller's events of one object become one after the tenth; whoever else writes some must not fill memory. */
const mostEvents = 100;

function timeOf({ lastTimestamp, metadata }: KubeEvent): number {
  return Date.parse(lastTimestamp ?? metadata.creationTimestamp);
}
