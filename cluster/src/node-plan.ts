import { join } from 'node:path';
import type { Command } from './control-plane.ts';
import { dnsServiceAddress, podRange, type Layout, type NodeLayout } from './layout.ts';
import { pauseImage } from './images.ts';
import type { NodePulse } from './node-pulse.ts';

/** What the node's configuration names of the machine. */
export interface NodeSettings {
  /** Where runc is. */
  readonly runc: string;
  /** `native` where the state folder is itself on an overlay, on which no other one can be put. */
  readonly snapshotter: 'overlayfs' | 'native';
}

/** A second name for runc: what a pod with another runtime class gets, without the kernel of a real one. */
export const otherRuntimeHandler = 'sandboxed';

export const containerdSocket = ({ folder }: Layout) => join(folder, 'containerd.sock');

export function containerdConfig(layout: Layout, { runc, snapshotter }: NodeSettings): string {
  const { folder } = layout;
  const runtime = (name: string) => `
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.${name}]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.${name}.options]
        BinaryName = "${runc}"`;
  return `version = 3
root = "${folder}/containerd/root"
state = "${folder}/containerd/state"
[grpc]
  address = "${containerdSocket(layout)}"
[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE nobody may lower a score, and pods would not start.
  restrict_oom_score_adj = true
  # Not where the machine keeps its own.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${folder}/cni-bin"]
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"${runtime('runc')}${runtime(otherRuntimeHandler)}
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "${snapshotter}"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${pauseImage}"
`;
}

/** JSON is YAML. */
export function kubeletConfig(layout: Layout, node: NodeLayout, pulse: NodePulse): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(layout.pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    address: node.address,
    clusterDNS: [dnsServiceAddress],
    clusterDomain: 'cluster.local',
    resolvConf: join(layout.folder, 'resolv.conf'),
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${node.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    nodeLeaseDurationSeconds: pulse.leaseSeconds,
    containerRuntimeEndpoint: `unix://${containerdSocket(layout)}`,
    podLogsDir: join(layout.folder, 'pod-logs'),
    makeIPTablesUtilChains: false,
    // How full the machine's disk is has no part in a test: no eviction, and no image is thrown away for it.
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  });
}

export function kubelet(program: string, layout: Layout, node: NodeLayout): Command {
  const { folder, pki } = layout;
  return {
    program,
    args: [
      ...[`--config=${folder}/kubelet.json`, `--kubeconfig=${pki}/node.kubeconfig`, `--root-dir=${folder}/kubelet`],
      ...[`--cert-dir=${folder}/kubelet/pki`, `--hostname-override=${node.name}`, `--node-ip=${node.address}`],
    ],
  };
}

/** Services by nftables; what it would set for the whole machine is left alone. */
export function kubeProxy(program: string, { pki, node }: Layout): Command {
  const untouched = ['max-per-core', 'min', 'tcp-timeout-established', 'tcp-timeout-close-wait'];
  return {
    program,
    args: [
      ...[`--kubeconfig=${pki}/admin.kubeconfig`, '--proxy-mode=nftables', `--cluster-cidr=${podRange}`],
      ...[`--hostname-override=${node?.name ?? ''}`, '--metrics-bind-address=127.0.0.1'],
      ...untouched.map((setting) => `--conntrack-${setting}=0`),
    ],
  };
}

/** The network's configuration, and the one plugin's that it names. */
export function cniConfig(layout: Layout): { readonly file: string; readonly text: string } {
  const cilium = { cniVersion: '0.3.1', name: 'cilium', plugins: [{ type: 'cilium-cni' }] };
  const ipam = {
    type: 'host-local',
    dataDir: join(layout.folder, 'cni-addresses'),
    ranges: [[{ subnet: '10.244.0.0/24' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const plugin = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  const bridge = { cniVersion: '0.3.1', name: 'bridge', plugins: [plugin] };
  return { file: '05-drydock.conflist', text: JSON.stringify(layout.level === 'full' ? cilium : bridge) };
}

/** Cilium without operator, Envoy and Hubble: addresses from the node's range, native routing, no kube-proxy. */
export function ciliumAgent(program: string, { folder, pki }: Layout, node: NodeLayout, apiPort: number): Command {
  const settings = {
    'k8s-kubeconfig-path': join(pki, 'admin.kubeconfig'),
    'lib-dir': join(folder, 'cilium'),
    'state-dir': '/run/cilium',
    'bpf-root': '/sys/fs/bpf',
    'cgroup-root': join(folder, 'cgroup2'),
    devices: 'n0',
    ipam: 'kubernetes',
    'routing-mode': 'native',
    'ipv4-native-routing-cidr': podRange,
    'enable-ipv4-masquerade': 'false',
    'enable-ipv6': 'false',
    'kube-proxy-replacement': 'true',
    'identity-allocation-mode': 'crd',
    'enable-l7-proxy': 'false',
    'enable-hubble': 'false',
    'enable-health-checking': 'false',
    'enable-endpoint-health-checking': 'false',
    'write-cni-conf-when-ready': '',
    'cluster-name': 'drydock-test',
  };
  return {
    program: join(folder, 'with-proc-modules'),
    args: [program, ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`)],
    env: {
      // Its compiler first: a wrapper.
      PATH: `${folder}/path:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      KUBERNETES_SERVICE_HOST: node.address,
      KUBERNETES_SERVICE_PORT: String(apiPort),
      K8S_NODE_NAME: node.name,
      CILIUM_K8S_NAMESPACE: 'kube-system',
    },
  };
}
