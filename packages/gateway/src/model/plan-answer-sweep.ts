/** An answer's file, as far as it matters for what is dropped. */
export interface AnswerFile {
  readonly name: string;
  readonly bytes: number;
  readonly storedAtMs: number;
  readonly usedAtMs: number;
}

/** What a sweep drops, and what is left. */
export interface AnswerSweep {
  readonly drop: readonly string[];
  readonly bytesLeft: number;
}

/** How full the store may be left by a sweep that had to make room: the next put need not sweep again. */
const roomyShare = 7 / 8;

/** Drops what is too old; then, when the rest is too much, what was not used for longest. */
export function planAnswerSweep(
  files: readonly AnswerFile[],
  bounds: { readonly nowMs: number; readonly maxAgeMs: number; readonly maxBytes: number },
): AnswerSweep {
  const fresh = files.filter(({ storedAtMs }) => isFresh(storedAtMs, bounds));
  const drop = files.filter(({ storedAtMs }) => !isFresh(storedAtMs, bounds)).map(({ name }) => name);
  let bytesLeft = fresh.reduce((sum, { bytes }) => sum + bytes, 0);
  if (bytesLeft <= bounds.maxBytes) return { drop, bytesLeft };
  for (const { name, bytes } of [...fresh].sort((left, right) => left.usedAtMs - right.usedAtMs)) {
    if (bytesLeft <= bounds.maxBytes * roomyShare) break;
    drop.push(name);
    bytesLeft -= bytes;
  }
  return { drop, bytesLeft };
}

/** A time to come is as good as none: somebody set a clock back. */
export function isFresh(
  storedAtMs: number,
  { nowMs, maxAgeMs }: { readonly nowMs: number; readonly maxAgeMs: number },
): boolean {
  return Math.abs(nowMs - storedAtMs) <= maxAgeMs;
}
