import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, systemClock } from '@drydock/core';
import { createKubeClient, loadKubeAccess, type KubeClient } from '@drydock/kube';
import { kubectlPath, useCluster } from '../../../../cluster/start-cluster.ts';
import { identifyPod, type AgentIdentities } from './identity-reviewer.ts';
import { kubeIdentityReviewer } from './kube-identity-reviewer.ts';

const audience = 'drydock-gateway';
const runId = '0123456789abcdef-1';
const gatewayUser = 'gateway-of-the-tests';
const never = new AbortController().signal;

describe('kubeIdentityReviewer on a real API server', () => {
  let kubeconfig: string;
  let kubectl: string;
  let client: KubeClient;
  let identities: AgentIdentities;
  const namespace = `exchange-${randomBytes(5).toString('hex')}`;

  beforeAll(async () => {
    const cluster = await useCluster({ name: 'tests', level: 'control-plane', signal: AbortSignal.timeout(120_000) });
    kubeconfig = cluster.kubeconfigPath;
    kubectl = kubectlPath();
    await apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      account('drydock-agent'),
      account('other'),
      pod('dd-1', 'drydock-agent'),
      pod('dd-other', 'other'),
      // All that a gateway may do.
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: namespace },
        rules: [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }],
      },
      binding('ClusterRoleBinding', 'ClusterRole'),
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: namespace, namespace },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      },
      binding('RoleBinding', 'Role'),
    );
    const kubeconfigFile = await cluster.kubeconfigFor({ user: gatewayUser, groups: [] });
    const access = await loadKubeAccess({ kubeconfigFile, service: null, clock: systemClock });
    client = createKubeClient({ access });
    identities = { reviewer: kubeIdentityReviewer(client), namespace, serviceAccount: 'drydock-agent', audience };
  }, 180_000);
  afterAll(async () => {
    client.close();
    await run(['delete', 'clusterrole,clusterrolebinding', namespace]);
    await run(['delete', 'namespace', namespace, '--wait=false']);
  });

  const account = (name: string) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
  const pod = (name: string, serviceAccountName: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'drydock.dev/run': runId } },
    spec: { serviceAccountName, containers: [{ name: 'agent', image: 'nowhere.example/none' }] },
  });
  const binding = (kind: string, role: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name: namespace, ...(kind === 'RoleBinding' ? { namespace } : {}) },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role, name: namespace },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: gatewayUser }],
  });

  function run(args: readonly string[], input = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = execFile(kubectl, ['--kubeconfig', kubeconfig, ...args], (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(new Error(stderr));
      });
      child.stdin?.end(input);
    });
  }
  const apply = (...items: readonly object[]) =>
    run(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const uidOf = (name: string) => run(['get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.metadata.uid}']);

  /** A token as the kubelet asks for it: for an account, an audience and a pod. */
  async function tokenFor(name: string | null, serviceAccount = 'drydock-agent', wanted = audience): Promise<Secret> {
    const bound = name === null ? [] : ['--bound-object-kind=Pod', `--bound-object-name=${name}`];
    const uid = name === null ? [] : [`--bound-object-uid=${await uidOf(name)}`];
    return new Secret(
      await run(['create', 'token', serviceAccount, '-n', namespace, `--audience=${wanted}`, ...bound, ...uid]),
    );
  }
  const identify = (token: Secret, of = runId) => identifyPod(identities, { token, runId: of }, never);

  it('knows the pod by its projected token, with no more rights than the gateway has', async () => {
    expect(await identify(await tokenFor('dd-1'))).toEqual({ kind: 'pod', name: 'dd-1', uid: await uidOf('dd-1') });
  });

  it.each<[string, () => Promise<Secret>, string]>([
    ['for another audience', () => tokenFor('dd-1', 'drydock-agent', 'vault'), 'token'],
    ['of another account', () => tokenFor('dd-other', 'other'), 'service-account'],
    ['bound to no pod', () => tokenFor(null), 'no-pod'],
    ['that nobody issued', async () => new Secret('a.b.c'), 'token'],
  ])('refuses a token %s', async (_, token, why) => {
    expect(await identify(await token())).toEqual({ kind: 'refused', why });
  });

  it('refuses the pod of another run, and a pod that is gone', async () => {
    await apply(pod('dd-2', 'drydock-agent'));
    const token = await tokenFor('dd-2');

    expect(await identify(token, 'fedcba9876543210-1')).toEqual({ kind: 'refused', why: 'other-run' });
    await run(['delete', 'pod', 'dd-2', '-n', namespace, '--grace-period=0', '--force']);
    // The server itself takes the token no more, at once or when its memory of a moment ends.
    expect(await identify(token)).toMatchObject({ kind: 'refused', why: expect.stringMatching(/^(token|pod-gone)$/) });
  });

  it('says that it may not ask', async () => {
    await run(['delete', 'clusterrolebinding', namespace]);

    await expect(identify(await tokenFor('dd-1'))).rejects.toMatchObject({ kind: 'blocked', code: 'kube.forbidden' });

    await apply(binding('ClusterRoleBinding', 'ClusterRole'));
  });
});
