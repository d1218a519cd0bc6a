/**
 * Whether a value of `JSON.parse` nests deeper than `limit`. Parsing is safe at any depth, for V8 does it without
 * recursion; whoever walks over the value later may not be.
 */
export function isNestedDeeperThan(value: unknown, limit: number): boolean {
  return isContainer(value) && isDeeper(value, limit);
}

function isDeeper(container: object, limit: number): boolean {
  if (limit === 0) return true;
  const values: readonly unknown[] = Array.isArray(container) ? container : Object.values(container);
  for (const value of values) {
    if (isContainer(value) && isDeeper(value, limit - 1)) return true;
  }
  return false;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
