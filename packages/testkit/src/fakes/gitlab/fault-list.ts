/** What goes wrong, by script. */
export interface GitLabFault {
  /** Which requests: every condition given must hold. `nth` is 1-based among those that match the rest. */
  readonly match?: { readonly method?: string; readonly path?: RegExp; readonly nth?: number };
  /**
   * `fail-before` answers without doing it; `execute-then-fail` does it first; `cut-body` breaks the connection in the
   * middle of the answer; `hang` never answers; `redirect` points to `location`; `rate-limit` is a 429; `html` is a
   * proxy's error page; `huge-body` is JSON without end; `slow` waits `afterMs`, then goes on as if nothing were.
   */
  readonly mode:
    | 'fail-before'
    | 'execute-then-fail'
    | 'cut-body'
    | 'hang'
    | 'redirect'
    | 'rate-limit'
    | 'html'
    | 'huge-body'
    | 'slow';
  /** Of the answer; null with the two `fail` modes breaks the connection instead. Defaults fit the mode. */
  readonly status?: number | null;
  /** How often it strikes; default once. */
  readonly times?: number;
  readonly afterMs?: number;
  /** Where `redirect` leads. */
  readonly location?: string;
  /** What `rate-limit` tells; null: nothing. */
  readonly retryAfterSeconds?: number | null;
  /** Size of `huge-body`; default 64 MiB. */
  readonly bytes?: number;
}

/** Faults still to come. */
export class FaultList {
  readonly #entries: { readonly fault: GitLabFault; left: number; seen: number }[] = [];

  /** Adds a fault behind those already there; the first that fits a request strikes. */
  add(fault: GitLabFault): void {
    this.#entries.push({ fault, left: fault.times ?? 1, seen: 0 });
  }

  /** Forgets all of them. */
  clear(): void {
    this.#entries.length = 0;
  }

  /** The fault that strikes this request, used up by it. */
  take(method: string, path: string): GitLabFault | null {
    for (const entry of this.#entries) {
      const { match = {} } = entry.fault;
      if (match.method !== undefined && match.method !== method) continue;
      if (match.path !== undefined && path.search(match.path) === -1) continue;
      entry.seen++;
      if (entry.left === 0 || (match.nth !== undefined && entry.seen < match.nth)) continue;
      entry.left--;
      return entry.fault;
    }
    return null;
  }
}
