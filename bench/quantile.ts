/** The smallest value that at least this share of all values is not above; NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? NaN;
}

/** What is told of many latencies, in the unit that they have. */
export function latenciesOf(values: readonly number[]) {
  const at = (share: number) => quantile(values, share);
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}
