/**
 * How the agent's process ends. Whether it reviewed is told by the result that the gateway holds, never by these:
 * 0 says only that there is one. 42 is never ours: it belongs to the isolation check that runs before an agent.
 */
export const exitCodes = {
  /** The gateway holds the result of this attempt: a review, a partial one, or why there is none. */
  handedIn: 0,
  /** A bug; also what Node ends with by itself. */
  crashed: 1,
  /** The run is no longer wanted: the gateway said so, and nothing was handed in. */
  stale: 3,
  /** Told to end, by SIGTERM or (where that is wanted) a closed standard input; nothing was handed in. */
  stopped: 4,
  /** There was a result, but the gateway could not be reached or did not take it. */
  notHandedIn: 75,
  /** A setting is wrong; standard error names it. */
  badConfig: 78,
} as const;
