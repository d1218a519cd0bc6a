import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askApi, type ApiAccess } from './api-client.ts';
import { createAuthority, createTokenKeys, signCertificate, type KeyPair, type Subject } from './certificates.ts';
import type { Ports } from './cluster-state.ts';
import { apiServer, controllerManager, etcd, scheduler, serverAddress } from './control-plane.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { apiServiceAddress, nodeAddress, type Layout } from './layout.ts';
import type { NodePulse } from './node-pulse.ts';
import { startPart, type Part } from './parts.ts';
import { poll } from './poll.ts';
import type { Programs } from './programs-of-machine.ts';

/** The identities that the parts of a cluster use, and the administrator's. */
export interface Credentials {
  readonly authority: string;
  readonly admin: KeyPair;
}

const servers = [`IP:127.0.0.1`, `IP:${nodeAddress}`, `IP:${apiServiceAddress}`, 'DNS:localhost'];
const apiNames = ['DNS:kubernetes', 'DNS:kubernetes.default', 'DNS:kubernetes.default.svc'];

/** Makes every key and certificate that the cluster starts with. */
export async function createCredentials(layout: Layout, ports: Ports, signal: AbortSignal): Promise<Credentials> {
  const etcdPki = join(layout.pki, 'etcd');
  await mkdir(etcdPki, { recursive: true, mode: 0o700 });
  await Promise.all([
    createAuthority(layout.pki, signal),
    createAuthority(etcdPki, signal),
    createTokenKeys(layout.pki, signal),
  ]);
  const sign = (name: string, subject: Subject) => signCertificate(layout.pki, name, subject, signal);
  const signForEtcd = async (name: string, subject: Subject) => {
    await signCertificate(etcdPki, name, subject, signal);
    for (const kind of ['crt', 'key'])
      await copyFile(join(etcdPki, `${name}.${kind}`), join(layout.pki, `${name}.${kind}`));
  };
  const [admin, manager, scheduling, node] = await Promise.all([
    sign('admin', { user: 'drydock-admin', groups: ['system:masters'] }),
    sign('controller-manager', { user: 'system:kube-controller-manager' }),
    sign('scheduler', { user: 'system:kube-scheduler' }),
    sign('node', { user: `system:node:${layout.node?.name ?? 'none'}`, groups: ['system:nodes'] }),
    sign('api', { user: 'kube-apiserver', altNames: [...servers, ...apiNames] }),
    sign('kubelet-client', { user: 'kube-apiserver-kubelet-client', groups: ['system:masters'] }),
    signForEtcd('etcd', { user: 'etcd', altNames: servers }),
    signForEtcd('etcd-client', { user: 'kube-apiserver' }),
  ]);
  const authority = await readFile(join(layout.pki, 'ca.crt'), 'utf8');
  const inside = `https://${serverAddress(layout)}:${ports.api}`;
  const kubeconfigs = { 'controller-manager': manager, scheduler: scheduling, node, admin };
  for (const [name, pair] of Object.entries(kubeconfigs))
    await writePrivate(
      join(layout.pki, `${name}.kubeconfig`),
      renderKubeconfig(inside, authority, { kind: 'certificate', pair }),
    );
  const outside = `https://127.0.0.1:${ports.outside}`;
  await writePrivate(layout.kubeconfig, renderKubeconfig(outside, authority, { kind: 'certificate', pair: admin }));
  return { authority, admin };
}

/** Starts etcd, API server and controller manager, and the scheduler if there will be a node; each must answer. */
export async function startControlPlane(
  layout: Layout,
  programs: Programs,
  ports: Ports,
  {
    access,
    enter,
    pulse,
    signal,
    onPart,
  }: {
    access: ApiAccess;
    enter: readonly string[];
    pulse: NodePulse;
    signal: AbortSignal;
    readonly onPart: (part: Part) => void;
  },
): Promise<void> {
  const start = (name: string, command: Parameters<typeof startPart>[2]) => {
    const part = startPart(layout, name, command, enter);
    onPart(part);
    return part;
  };
  // The API server waits for etcd by itself; the other two would end without an API server.
  const first = [
    start('etcd', etcd(programs.path('etcd'), layout, ports)),
    start('kube-apiserver', apiServer(programs.path('kube-apiserver'), layout, ports)),
  ];
  const isReady = async (parts: readonly Part[], path: string, expected: number) => {
    for (const part of parts) part.expectAlive();
    return (await askApi(access, path, { signal }))?.status === expected;
  };
  await poll(() => isReady(first, '/readyz', 200), { what: 'the API server is ready', timeoutMs: 60_000, signal });
  const second = [
    start('kube-controller-manager', controllerManager(programs.path('kube-controller-manager'), layout, pulse)),
  ];
  if (layout.node !== null) second.push(start('kube-scheduler', scheduler(programs.path('kube-scheduler'), layout)));
  // What it makes last of what pods need.
  await poll(() => isReady([...first, ...second], '/api/v1/namespaces/default/serviceaccounts/default', 200), {
    what: 'the controller manager works',
    timeoutMs: 60_000,
    signal,
  });
}

async function writePrivate(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
}
