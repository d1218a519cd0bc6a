/**
 * Whether a value of `JSON.parse` nests deeper than `limit`. Parsing is safe at any depth, for V8 does it without
 * recursion; whoever walks over the value later may not be.
 */
export function isNestedDeeperThan(value: unknown, limit: number): boolean {
  return isContainer(value) && isDeeper(value, limit);
}

/** Asked of every delivery: lists of values made for it would cost more than the looking. */
function isDeeper(container: Container, limit: number): boolean {
  if (limit === 0) return true;
  if (isArray(container)) {
    for (const value of container) {
      if (isContainer(value) && isDeeper(value, limit - 1)) return true;
    }
    return false;
  }
  for (const key in container) {
    const value = container[key];
    if (isContainer(value) && isDeeper(value, limit - 1)) return true;
  }
  return false;
}

type Container = readonly unknown[] | Readonly<Record<string, unknown>>;

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function isArray(container: Container): container is readonly unknown[] {
  return Array.isArray(container);
}
