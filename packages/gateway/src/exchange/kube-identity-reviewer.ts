import { pods, tokenReviews, type KubeClient } from '@drydock/kube';
import type { IdentityReviewer } from './identity-reviewer.ts';

const timeoutMs = 10_000;
const podNameKey = 'authentication.kubernetes.io/pod-name';
const podUidKey = 'authentication.kubernetes.io/pod-uid';

/** Asks the API server: it must let us create `tokenreviews` and get `pods` in the agents' namespace, and no more. */
export function kubeIdentityReviewer(kube: Pick<KubeClient, 'create' | 'read'>): IdentityReviewer {
  return {
    async reviewToken(token, audience, signal) {
      const manifest = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token: token.reveal(), audiences: [audience] },
      };
      const { object } = await kube.create(tokenReviews, manifest, { signal, timeoutMs });
      const { authenticated, audiences, user } = object.status;
      if (!authenticated) return { kind: 'refused' };
      const [name] = user.extra[podNameKey] ?? [];
      const [uid] = user.extra[podUidKey] ?? [];
      const pod = name === undefined || uid === undefined ? null : { name, uid };
      return { kind: 'authenticated', username: user.username, audiences, pod };
    },
    async readPod(namespace, name, signal) {
      const pod = await kube.read(pods, { namespace, name }, { signal, timeoutMs });
      if (pod === null) return null;
      const { uid, labels, deletionTimestamp } = pod.metadata;
      return { uid, labels, isTerminating: deletionTimestamp !== undefined };
    },
  };
}
