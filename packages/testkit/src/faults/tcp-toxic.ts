/** What a link does to bytes on their way. The set is Toxiproxy's. @see https://github.com/Shopify/toxiproxy#toxics */
export type TcpToxicEffect =
  /** Each piece comes later, by chance up to `jitterMs` more or less; order is kept. */
  | { readonly kind: 'latency'; readonly delayMs: number; readonly jitterMs: number }
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Pieces of this size at the most, with a pause after each. */
  | { readonly kind: 'slicer'; readonly bytes: number; readonly pauseMs: number }
  /** The end of a side reaches the other one later. */
  | { readonly kind: 'slow-close'; readonly delayMs: number }
  /** After so many bytes both sides are cut off with a reset; 0: at the first byte that comes. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** After so many bytes both sides are closed in order, and what is beyond is dropped. */
  | { readonly kind: 'limit'; readonly bytes: number }
  /**
   * Nothing passes, no end either, as when packets are dropped on the way: what was sent meanwhile arrives when the
   * toxic is removed, if the sender still holds its connection. With `closeAfterMs` both sides are closed instead.
   */
  | { readonly kind: 'black-hole'; readonly closeAfterMs: number | null };

/** Which way of a connection is meant: towards the server behind the proxy, or back. */
export type TcpDirection = 'to-upstream' | 'to-client';

/** An effect, on one way or (`direction` left out) on both. */
export type TcpToxic = TcpToxicEffect & { readonly direction?: TcpDirection };
