import { join } from 'node:path';
import type { Ports } from './cluster-state.ts';
import type { NodePulse } from './node-pulse.ts';
import { nodeAddress, podRange, serviceRange, type Layout } from './layout.ts';

/** A program and its arguments, as they are started. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where the servers of the control plane listen: with a node in its network, else on loopback. */
export const serverAddress = ({ node }: Layout) => node?.address ?? '127.0.0.1';

/** Only the API server has a certificate that etcd takes: other users of the machine reach its port too. */
export function etcd(program: string, { folder, pki }: Layout, ports: Ports): Command {
  const client = `https://127.0.0.1:${ports.etcdClient}`;
  const peer = `https://127.0.0.1:${ports.etcdPeer}`;
  const tls = (prefix: string) => [
    `--${prefix}cert-file=${pki}/etcd.crt`,
    `--${prefix}key-file=${pki}/etcd.key`,
    `--${prefix}client-cert-auth=true`,
    `--${prefix}trusted-ca-file=${pki}/etcd/ca.crt`,
  ];
  return {
    program,
    args: [
      `--data-dir=${join(folder, 'etcd')}`,
      ...['--name=etcd', `--initial-cluster=etcd=${peer}`, `--initial-advertise-peer-urls=${peer}`],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, `--listen-peer-urls=${peer}`],
      ...tls(''),
      ...tls('peer-'),
    ],
  };
}

export function apiServer(program: string, layout: Layout, ports: Ports): Command {
  const { pki, node } = layout;
  const address = serverAddress(layout);
  return {
    program,
    args: [
      `--etcd-servers=https://127.0.0.1:${ports.etcdClient}`,
      ...[`--etcd-cafile=${pki}/etcd/ca.crt`, `--etcd-certfile=${pki}/etcd-client.crt`],
      `--etcd-keyfile=${pki}/etcd-client.key`,
      ...[`--bind-address=${address}`, `--secure-port=${ports.api}`, `--advertise-address=${nodeAddress}`],
      // Without a node nobody routes to the address above, and an endpoint would only mislead.
      ...(node === null ? ['--endpoint-reconciler-type=none'] : []),
      ...[`--tls-cert-file=${pki}/api.crt`, `--tls-private-key-file=${pki}/api.key`, `--client-ca-file=${pki}/ca.crt`],
      ...[`--kubelet-client-certificate=${pki}/kubelet-client.crt`, `--kubelet-client-key=${pki}/kubelet-client.key`],
      // Else logs and exec look up the node's name.
      '--kubelet-preferred-address-types=InternalIP',
      ...[`--service-account-key-file=${pki}/sa.pub`, `--service-account-signing-key-file=${pki}/sa.key`],
      ...['--service-account-issuer=https://kubernetes.default.svc', `--service-cluster-ip-range=${serviceRange}`],
      ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction', '--allow-privileged=true'],
    ],
  };
}

export function controllerManager(program: string, { pki }: Layout, pulse: NodePulse): Command {
  return {
    program,
    args: [
      ...[`--kubeconfig=${pki}/controller-manager.kubeconfig`, '--leader-elect=false', '--secure-port=0'],
      // Gives the node its range, so that Cilium needs no operator.
      ...[`--cluster-cidr=${podRange}`, '--allocate-node-cidrs=true', `--service-cluster-ip-range=${serviceRange}`],
      ...[`--service-account-private-key-file=${pki}/sa.key`, `--root-ca-file=${pki}/ca.crt`],
      ...[`--cluster-signing-cert-file=${pki}/ca.crt`, `--cluster-signing-key-file=${pki}/ca.key`],
      '--use-service-account-credentials=true',
      // Its own limit of 20 requests a second would be most of the time that a start takes.
      ...['--kube-api-qps=500', '--kube-api-burst=1000'],
      ...[`--node-monitor-period=${pulse.lookEverySeconds}s`, `--node-monitor-grace-period=${pulse.graceSeconds}s`],
    ],
  };
}

export function scheduler(program: string, { pki }: Layout): Command {
  return {
    program,
    args: [`--kubeconfig=${pki}/scheduler.kubeconfig`, '--leader-elect=false', '--secure-port=0'],
  };
}
