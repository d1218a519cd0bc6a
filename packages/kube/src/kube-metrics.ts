/** What the package counts; an app gives it meaning. Labels are bounded: verbs, kinds, causes, status codes. */
export interface KubeMetrics {
  /** `code`: the status, or the class of what happened instead: `unreachable`, `timeout`, `tls`. */
  requested(verb: string, kind: string, code: string): void;
  /** A call waited so long for its turn. */
  throttled(seconds: number): void;
  watchRestarted(kind: string, cause: string): void;
  /** Registers how old what is held of a kind is; the returned function ends it. */
  watchAge(kind: string, ageSeconds: () => number): () => void;
  /** Changes that no watch told of, found by an audit. */
  missedEvents(kind: string, count: number): void;
  leads(election: string, isLeader: boolean): void;
}

/** Counts nothing. */
export const silentKubeMetrics: KubeMetrics = {
  requested: () => undefined,
  throttled: () => undefined,
  watchRestarted: () => undefined,
  watchAge: () => () => undefined,
  missedEvents: () => undefined,
  leads: () => undefined,
};
