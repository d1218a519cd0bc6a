/** Letters, digits and what our own routes have. No percent, so nothing can be hidden from a router. */
const plainPath = /^(?:\/[A-Za-z0-9_.-]+)+$/;
const plainQuery = /^[A-Za-z0-9_.=&-]*$/;
const maxUrlLength = 500;

/** A request target taken apart; null for one that no client of ours sends: another form, an escape, `..`, `//`. */
export function plainTarget(url: string): { readonly path: string; readonly query: URLSearchParams } | null {
  if (url.length > maxUrlLength) return null;
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark + 1);
  if (!plainPath.test(path) || !plainQuery.test(query)) return null;
  if (path.split('/').some((part) => part === '.' || part === '..')) return null;
  return { path, query: new URLSearchParams(query) };
}
