/** The tools modules below `cluster/tools`; each go.mod pins one upstream, and go.sum what it needs. */
export type ToolModuleName = 'kubernetes' | 'kube-proxy' | 'cilium' | 'containerd' | 'runc';

/** One upstream and what we build of it. */
export interface ToolModule {
  readonly name: ToolModuleName;
  /** The path whose version in go.mod is the version of the programs. */
  readonly modulePath: string;
  readonly programs: readonly Program[];
}

/** One program: what to build, and how to see that it runs. */
export interface Program {
  readonly name: string;
  readonly goPackage: string;
  /** Needs a C compiler and, as runc does, libraries of the machine. */
  readonly cgo?: boolean;
  readonly tags?: string;
  /** What follows `-s -w` of the linker; `{version}` is the module's, without its v. */
  readonly stamp?: string;
  /** Run after the build: the output must hold the version, or with `anyVersion` only not fail. */
  readonly check: { readonly args: readonly string[]; readonly env?: Readonly<Record<string, string>> };
  readonly anyVersion?: boolean;
  /** Seconds on two cores, in this order with one build cache: what the progress expects. */
  readonly expectedSeconds: number;
}

const kubernetesStamp = ['gitVersion=v{version}', 'gitMajor=1', 'gitMinor=36']
  .map((setting) => `-X k8s.io/component-base/version.${setting}`)
  .join(' ');

function kubernetes(name: string, expectedSeconds: number): Program {
  const check = name === 'kubectl' ? ['version', '--client'] : ['--version'];
  return {
    name,
    goPackage: `k8s.io/kubernetes/cmd/${name}`,
    stamp: kubernetesStamp,
    check: { args: check },
    expectedSeconds,
  };
}

function containerd(name: string, expectedSeconds: number, versionFlag = '--version'): Program {
  return {
    name,
    goPackage: `github.com/containerd/containerd/v2/cmd/${name}`,
    stamp: '-X github.com/containerd/containerd/v2/version.Version={version}',
    check: { args: [versionFlag] },
    expectedSeconds,
  };
}

/** Everything a cluster is made of that comes as Go source, the control plane first: it is wanted most. */
export const toolModules: readonly ToolModule[] = [
  {
    name: 'kubernetes',
    modulePath: 'k8s.io/kubernetes',
    programs: [
      kubernetes('kube-apiserver', 293),
      kubernetes('kube-controller-manager', 79),
      kubernetes('kubectl', 26),
      kubernetes('kube-scheduler', 6),
      kubernetes('kubelet', 21),
    ],
  },
  {
    // For the bridge level alone, and so apart: the other programs of the module are not built again for it.
    name: 'kube-proxy',
    modulePath: 'k8s.io/kubernetes',
    programs: [kubernetes('kube-proxy', 20)],
  },
  {
    name: 'runc',
    modulePath: 'github.com/opencontainers/runc',
    programs: [
      {
        name: 'runc',
        goPackage: 'github.com/opencontainers/runc',
        cgo: true,
        tags: 'seccomp',
        stamp: '-X main.version={version}',
        check: { args: ['--version'] },
        expectedSeconds: 16,
      },
    ],
  },
  {
    name: 'containerd',
    modulePath: 'github.com/containerd/containerd/v2',
    programs: [containerd('containerd', 80), containerd('ctr', 6), containerd('containerd-shim-runc-v2', 4, '-v')],
  },
  {
    name: 'cilium',
    modulePath: 'github.com/cilium/cilium',
    programs: [
      {
        name: 'cilium-agent',
        goPackage: 'github.com/cilium/cilium/daemon',
        stamp: '-X github.com/cilium/cilium/pkg/version.ciliumVersion={version}',
        check: { args: ['--version'] },
        expectedSeconds: 214,
      },
      {
        name: 'cilium-cni',
        goPackage: 'github.com/cilium/cilium/plugins/cilium-cni',
        // A CNI plugin tells the versions of the protocol, not its own.
        check: { args: [], env: { CNI_COMMAND: 'VERSION' } },
        anyVersion: true,
        expectedSeconds: 4,
      },
    ],
  },
];
