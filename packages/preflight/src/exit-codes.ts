/** How the init container ends. Whoever watches the pod acts by these; the agent's container never has these codes. */
export const exitCodes = {
  /** The run token is in its file. */
  ready: 0,
  /** An address answered that must not: the network of this cluster is not closed. */
  notIsolated: 42,
  /** The gateway gives no token: the run is not wanted any more, or this is not its pod. */
  refused: 43,
  /** The gateway could not be reached, or could not answer. */
  unreachable: 75,
  /** A setting is wrong; standard error names it. Also when the gateway does not know what is asked of it. */
  badConfig: 78,
} as const;

/** One of them. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
