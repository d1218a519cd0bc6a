import type { Secret } from '@drydock/core';

/** What the API server says of a token. `refused`: it is none that it would take itself, or of another audience. */
export type ReviewedToken =
  | {
      readonly kind: 'authenticated';
      readonly username: string;
      /** Those that were asked for and that the token is for. */
      readonly audiences: readonly string[];
      /** Null: the token is bound to no pod. */
      readonly pod: { readonly name: string; readonly uid: string } | null;
    }
  | { readonly kind: 'refused' };

/** A pod as it is now. */
export interface SeenPod {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It was told to end. */
  readonly isTerminating: boolean;
}

/** The port to who knows the pods. Throws `TransientError` when that does not answer. */
export interface IdentityReviewer {
  reviewToken(token: Secret, audience: string, signal: AbortSignal): Promise<ReviewedToken>;
  /** Null: there is none of that name. */
  readPod(namespace: string, name: string, signal: AbortSignal): Promise<SeenPod | null>;
}

/** Whose identities are taken. */
export interface AgentIdentities {
  readonly reviewer: IdentityReviewer;
  /** Where agents' pods are. */
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Of the projected tokens: one for another service is worth nothing here. */
  readonly audience: string;
}

/** The pod that a token proves, or why it proves none that counts here. */
export type IdentifiedPod =
  | { readonly kind: 'pod'; readonly name: string; readonly uid: string }
  | {
      readonly kind: 'refused';
      readonly why: 'token' | 'audience' | 'service-account' | 'no-pod' | 'pod-gone' | 'other-run';
    };

const runLabel = 'drydock.dev/run';

/**
 * Whether a token is that of the pod of a run: issued for us, for the agents' own service account, bound to a pod that
 * stands there under this very uid and bears the name of the run.
 */
export async function identifyPod(
  { reviewer, namespace, serviceAccount, audience }: AgentIdentities,
  { token, runId }: { readonly token: Secret; readonly runId: string },
  signal: AbortSignal,
): Promise<IdentifiedPod> {
  const reviewed = await reviewer.reviewToken(token, audience, signal);
  if (reviewed.kind === 'refused') return refused('token');
  if (!reviewed.audiences.includes(audience)) return refused('audience');
  if (reviewed.username !== `system:serviceaccount:${namespace}:${serviceAccount}`) return refused('service-account');
  const { pod } = reviewed;
  if (pod === null) return refused('no-pod');
  const seen = await reviewer.readPod(namespace, pod.name, signal);
  if (seen === null || seen.uid !== pod.uid || seen.isTerminating) return refused('pod-gone');
  if (seen.labels[runLabel] !== runId) return refused('other-run');
  return { kind: 'pod', ...pod };
}

function refused<Why>(why: Why) {
  return { kind: 'refused', why } as const;
}
