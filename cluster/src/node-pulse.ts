/** How a node says that it lives, and how long its silence is borne. */
export interface NodePulse {
  /** Of the Lease that its kubelet renews each quarter of this. */
  readonly leaseSeconds: number;
  /** Silent for so long it is taken for lost. */
  readonly graceSeconds: number;
  /** How often somebody looks. */
  readonly lookEverySeconds: number;
}

/** What Kubernetes does by itself. */
export const usualPulse: NodePulse = { leaseSeconds: 40, graceSeconds: 50, lookEverySeconds: 5 };

/** One in which a lost node is noticed sooner, in the same proportions. */
export function pulseFor(graceSeconds: number): NodePulse {
  const part = (usual: number) => Math.max(1, Math.round((usual * graceSeconds) / usualPulse.graceSeconds));
  return {
    leaseSeconds: part(usualPulse.leaseSeconds),
    graceSeconds,
    lookEverySeconds: part(usualPulse.lookEverySeconds),
  };
}
