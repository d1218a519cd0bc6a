import { ReviewPolicy, RepositoryConfig } from '@drydock/core';
import { expectedAt, expectedBy, keysOf, type ExpectedValue } from './expected-value.ts';
import type { YamlPath } from './yaml-document.ts';

/** Whose settings a file holds: the operator's, or those of a repository. */
export type ConfigKind = 'policy' | 'repository';

/** The repository's keys that do in small what one of the policy's does, where the name is not the same. */
const repositoryKeyFor: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'budget.usdPerRun': 'maxUsdPerRun',
    'budget.usdPerDay': 'maxUsdPerRun',
    usdPerRun: 'maxUsdPerRun',
    usdPerDay: 'maxUsdPerRun',
    blockAt: 'failOn',
  }),
);

/** What other tools call it. */
const otherNames: Readonly<Record<ConfigKind, ReadonlyMap<string, string>>> = {
  policy: new Map(
    Object.entries({
      exclude: 'ignorePaths',
      ignore: 'ignorePaths',
      skip: 'ignorePaths',
      include: 'onlyPaths',
      only: 'onlyPaths',
      paths: 'onlyPaths',
      severity: 'minSeverity',
      threshold: 'minSeverity',
      maxCost: 'budget.usdPerRun',
      maxUsdPerRun: 'budget.usdPerRun',
      failOn: 'blockAt',
      caps: 'severityCaps',
      timeout: 'budget.deadlineSeconds',
      timeoutSeconds: 'budget.deadlineSeconds',
    }),
  ),
  repository: new Map(
    Object.entries({
      exclude: 'ignorePaths',
      ignore: 'ignorePaths',
      skip: 'ignorePaths',
      severity: 'minSeverity',
      threshold: 'minSeverity',
      maxCost: 'maxUsdPerRun',
    }),
  ),
};

/** An unknown key that has its place elsewhere. */
export interface MisplacedKey {
  readonly path: YamlPath;
  readonly message: string;
  readonly didYouMean?: string;
}

const schemas: Readonly<Record<ConfigKind, () => ExpectedValue>> = {
  policy: () => expectedBy(ReviewPolicy),
  repository: () => expectedBy(RepositoryConfig),
};

/** Why a key that is unknown at `path` is one elsewhere; a group may come to several. None: it is known nowhere. */
export function misplacedKeys(kind: ConfigKind, path: YamlPath, value: unknown): readonly MisplacedKey[] {
  const ofOther = schemas[kind === 'policy' ? 'repository' : 'policy']();
  const moved = movedWithin(schemas[kind](), path);
  if (moved !== null) return [{ path, message: `stands in the wrong place: it is ${moved}` }];
  const theirs = expectedAt(ofOther, path);
  if (theirs !== null && path.length > 0) return ofOtherFile(kind, path, theirs, value);
  const alone = movedWithin(ofOther, path);
  if (alone !== null && kind === 'repository') return ofOtherFile(kind, path, null, value);
  const other = otherNames[kind].get(String(path.at(-1)));
  return other === undefined ? [] : [{ path, message: 'unknown key', didYouMean: other }];
}

/** The group's keys one by one, where the file holds such a group. */
function ofOtherFile(
  kind: ConfigKind,
  path: YamlPath,
  theirs: ExpectedValue | null,
  value: unknown,
): readonly MisplacedKey[] {
  const inner = keysOf(theirs);
  const parts = typeof value === 'object' && value !== null ? Object.keys(value).filter((k) => inner.includes(k)) : [];
  const places = parts.length === 0 ? [path] : parts.map((part) => [...path, part]);
  return places.map((place) => {
    const name = place.map(String).join('.');
    const here = kind === 'repository' ? repositoryKeyFor.get(name) : otherNames.policy.get(name);
    const whose =
      kind === 'repository' ? "can only be set by the operator's policy" : "is a key of a repository's .drydock.yaml";
    return { path: place, message: here === undefined ? whose : `${whose}; here it is ${here}` };
  });
}

/** The one place where a key of that name may stand, one group further in or out; null: none, or it stands there. */
function movedWithin(whole: ExpectedValue, path: YamlPath): string | null {
  const name = String(path.at(-1));
  const top = keysOf(whole);
  if (path.length > 1 && top.includes(name)) return name;
  if (path.length > 1) return null;
  const group = top.find((key) => keysOf(whole.properties?.[key] ?? null).includes(name));
  return group === undefined ? null : `${group}.${name}`;
}
