import { RepositoryConfig, ReviewPolicy, narrowPolicy } from '@drydock/core';
import { stringify } from 'yaml';
import { checkYaml } from './check-yaml.ts';
import { ineffectiveInPolicy, ineffectiveWishes, type Ineffective } from './find-ineffective.ts';
import type { ConfigKind } from './misplaced-key.ts';
import { ReviewPolicyObject } from './objects/review-policy-object.ts';
import type { YamlDocument, YamlProblem } from './yaml-document.ts';

/** What is known around the file. */
export interface ConfigSurroundings {
  /** What a repository's wishes are held against. Default: the policy without a file. */
  readonly policy?: ReviewPolicy;
  /** The files of the repository, to tell which globs match none; null: not known. */
  readonly trackedPaths?: readonly string[] | null;
}

/** A checked file. Its messages repeat values of the file: they are for who wrote it, and no one else. */
export type ConfigCheck =
  | {
      readonly kind: 'valid';
      /** What has no effect, or another than it seems, in the order of lines. */
      readonly warnings: readonly YamlProblem[];
      /** The policy as it holds with this file. */
      readonly effective: ReviewPolicy;
      /** What in it is not the default, such as `minSeverity: high`; of a repository also what is not in the policy. */
      readonly differences: readonly string[];
    }
  | { readonly kind: 'invalid'; readonly problems: readonly YamlProblem[] };

/** Checks a policy (a file, or a `ReviewPolicy` object) or a `.drydock.yaml`, and tells what it comes to. */
export function checkConfig(text: string, kind: ConfigKind, surroundings: ConfigSurroundings = {}): ConfigCheck {
  const { policy = ReviewPolicy.parse({}), trackedPaths = null } = surroundings;
  if (kind === 'policy' && objectHead.test(text)) return checkObject(text);
  if (kind === 'policy') {
    const checked = checkYaml(text, { schema: ReviewPolicy, kind, mayQuoteValues: true });
    if (checked.kind === 'invalid') return checked;
    const effective = checked.value;
    const warnings = written(ineffectiveInPolicy(effective), checked.document);
    return { kind: 'valid', warnings, effective, differences: differencesOf(effective, ReviewPolicy.parse({})) };
  }
  const checked = checkYaml(text, { schema: RepositoryConfig, kind, mayQuoteValues: true });
  if (checked.kind === 'invalid') return checked;
  const effective = narrowPolicy(policy, checked.value);
  const warnings = written(ineffectiveWishes(checked.value, policy, trackedPaths), checked.document);
  const { failOn } = checked.value;
  const differences = [
    ...differencesOf(effective, ReviewPolicy.parse({})),
    ...(failOn === undefined ? [] : [`failOn: ${failOn}`]),
  ];
  return { kind: 'valid', warnings, effective, differences };
}

/** How an object of Kubernetes begins; no policy file has such a key. */
const objectHead = /^\{?\s{0,8}["']?(?:apiVersion|kind)["']?\s{0,8}:/m;

function checkObject(text: string): ConfigCheck {
  const checked = checkYaml(text, { schema: ReviewPolicyObject, kind: 'object', mayQuoteValues: true });
  if (checked.kind === 'invalid') return checked;
  const { review, projects } = checked.value.spec;
  const found = ineffectiveInPolicy(review).map((one) => ({ ...one, path: ['spec', 'review', ...one.path] }));
  const differences = [`projects: ${projects.join(' ')}`, ...differencesOf(review, ReviewPolicy.parse({}))];
  return { kind: 'valid', warnings: written(found, checked.document), effective: review, differences };
}

/** The settings as YAML, as they would stand in a policy file. */
export function renderPolicy(policy: ReviewPolicy): string {
  return stringify(policy, { lineWidth: 0 });
}

/** The warnings with their places. What the file does not say itself, a default, is nothing to warn of. */
function written(found: readonly Ineffective[], document: YamlDocument): readonly YamlProblem[] {
  return found
    .flatMap(({ path, message, didYouMean }) => {
      if (!document.has(path)) return [];
      const name = path.map(String).join('.');
      return [{ ...document.placeOf(path), path: name, message, ...(didYouMean === undefined ? {} : { didYouMean }) }];
    })
    .sort((left, right) => left.line - right.line || left.column - right.column);
}

function differencesOf(actual: object, usual: object, group = ''): readonly string[] {
  const before = new Map(Object.entries(usual));
  return Object.entries(actual).flatMap(([key, value]: [string, unknown]) => {
    const other: unknown = before.get(key);
    if (JSON.stringify(value) === JSON.stringify(other)) return [];
    const isGroup = isRecord(value) && isRecord(other) && key === 'budget';
    return isGroup
      ? differencesOf(value, other, `${key}.`)
      : [`${group}${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
  });
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
