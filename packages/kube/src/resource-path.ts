import { ConfigError } from '@drydock/core';
import type { Resource } from './resource.ts';

/** The path of a collection, or of one object of it, perhaps of a subresource; with its query. */
export function resourcePath(
  resource: Pick<Resource<never>, 'group' | 'version' | 'plural' | 'isNamespaced'>,
  place: { readonly namespace?: string | undefined; readonly name?: string; readonly subresource?: string | undefined },
  query: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string {
  const { group, version, plural, isNamespaced } = resource;
  if (!isNamespaced && place.namespace !== undefined) throw new ConfigError(`${plural} have no namespace`);
  const parts = group === '' ? ['api', version] : ['apis', group, version];
  if (place.namespace !== undefined) parts.push('namespaces', place.namespace);
  parts.push(plural);
  if (place.name !== undefined) parts.push(place.name);
  if (place.subresource !== undefined) parts.push(place.subresource);
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
  const path = parts.map((part) => `/${encodeURIComponent(part)}`).join('');
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}
