/** A request as it passes the proxy. */
export interface KubeProxyRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** As Kubernetes names them: get, list, watch, create, update, patch, delete. */
  readonly verb: string;
  /** Plural of the kind, such as `jobs`. */
  readonly resource: string;
}

/** What happens to a request instead of the usual. */
export type KubeFault =
  /** Answered by the proxy; the server never sees it. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly reason?: string;
      readonly message?: string;
      /** Sent as `Retry-After`. */
      readonly retryAfterSeconds?: number;
      /** Instead of a Status. */
      readonly body?: string;
    }
  /** Done by the server, but its answer is lost: this one is given, or, with null, a reset. */
  | { readonly kind: 'execute-then'; readonly status: number | null }
  /** The connection ends with a reset; the server never sees the request. */
  | { readonly kind: 'reset' }
  /** Comes to the server so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Never answered. */
  | { readonly kind: 'hang' }
  /** A list as it was when such a list was last asked for and this fault was not there. */
  | { readonly kind: 'stale' }
  /** A watch, line by line. */
  | { readonly kind: 'watch'; readonly change: KubeWatchChange };

/**
 * What becomes of an event of a watch; `index` counts from 0 in each watch. `cut`: the watch ends cleanly before it;
 * `break`: in the middle of it, by a reset; `stall`: nothing comes any more; `drop`: swallowed; text: that line instead.
 */
export type KubeWatchChange = (
  line: string,
  index: number,
) => 'pass' | 'drop' | 'cut' | 'break' | 'stall' | { readonly line: string };
