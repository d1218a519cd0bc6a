import { RepositoryConfig } from '@drydock/core';
import { checkYaml } from './check-yaml.ts';
import type { YamlProblem } from './yaml-document.ts';

/** A read `.drydock.yaml`, or all that is wrong in it, in the order of its lines. */
export type ParsedRepositoryConfig =
  | { readonly kind: 'valid'; readonly config: RepositoryConfig }
  | { readonly kind: 'invalid'; readonly problems: readonly YamlProblem[] };

/** Reads the `.drydock.yaml` of a repository. It may hold anything; problems name keys and places, never values. */
export function parseRepositoryConfig(yamlText: string): ParsedRepositoryConfig {
  const checked = checkYaml(yamlText, { schema: RepositoryConfig, kind: 'repository', mayQuoteValues: false });
  return checked.kind === 'valid' ? { kind: 'valid', config: checked.value } : checked;
}
