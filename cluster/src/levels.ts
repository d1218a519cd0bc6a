import type { ToolModuleName } from './programs.ts';

/**
 * How much of a cluster is started. `control-plane`: etcd, API server and controller manager, on loopback, without root.
 * `bridge`: and a node whose network enforces no policy. `full`: and a node with Cilium, which does.
 */
export type Level = 'control-plane' | 'bridge' | 'full';

/** The levels, the smallest first. */
export const levels: readonly Level[] = ['control-plane', 'bridge', 'full'];

/** The programs that a level starts or calls, of those that we build. */
export function programsOf(level: Level): readonly { readonly module: ToolModuleName; readonly name: string }[] {
  const of = (module: ToolModuleName, ...names: string[]) => names.map((name) => ({ module, name }));
  const controlPlane = of('kubernetes', 'kube-apiserver', 'kube-controller-manager', 'kubectl');
  if (level === 'control-plane') return controlPlane;
  const bridge = [
    ...controlPlane,
    ...of('kubernetes', 'kube-scheduler', 'kubelet'),
    ...of('runc', 'runc'),
    ...of('containerd', 'containerd', 'ctr', 'containerd-shim-runc-v2'),
  ];
  return level === 'bridge'
    ? [...bridge, ...of('kube-proxy', 'kube-proxy')]
    : [...bridge, ...of('cilium', 'cilium-agent', 'cilium-cni')];
}
