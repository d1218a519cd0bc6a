/** What the guide shows as settings is what the schemas take. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { RepositoryConfig, ReviewPolicy } from '@drydock/core';
import { parse } from 'yaml';
import { checkConfig } from './check-config.ts';
import { PolicyPod, PolicySpec, ReviewPolicyObject } from './objects/review-policy-object.ts';
import { parsePolicy } from './parse-policy.ts';

async function yamlIn(page: string): Promise<readonly string[]> {
  const text = await readFile(new URL(`../../../docs/guide/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/```yaml\n([^]*?)```/g)].map(([, block = '']) => block);
}

describe('docs/guide', () => {
  it('shows every key of a policy with its default', async () => {
    const [policy = ''] = await yamlIn('policy.md');

    expect(parsePolicy(policy, 'policy.md')).toEqual(ReviewPolicy.parse({}));
    const keys = [...Object.keys(ReviewPolicy.shape), ...Object.keys(ReviewPolicy.parse({}).budget)];
    const shown = keys.filter((key) => new RegExp(`^\\s*${key}:`, 'm').test(policy));
    expect(shown).toEqual(keys.filter((key) => key !== 'enabled'));
  });

  it('shows every key of a policy object, which is right', async () => {
    const [, object = ''] = await yamlIn('policy.md');

    const { spec } = ReviewPolicyObject.parse(parse(object));
    const keys = Object.keys(PolicySpec.shape);
    expect(keys.filter((key) => new RegExp(`^  ${key}:`, 'm').test(object)).sort()).toEqual(keys.sort());
    expect(Object.keys(spec.pod)).toEqual(Object.keys(PolicyPod.shape));
  });

  it('shows every key of a .drydock.yaml, none of them idle', async () => {
    const [, , wishes = ''] = await yamlIn('policy.md');

    expect(checkConfig(wishes, 'repository')).toMatchObject({ kind: 'valid', warnings: [] });
    const keys = Object.keys(RepositoryConfig.shape);
    expect(keys.filter((key) => new RegExp(`^${key}:`, 'm').test(wishes))).toEqual(keys);
  });

  it('shows a .drydock.yaml for the command that is right', async () => {
    const [wishes = ''] = await yamlIn('review-command.md');

    expect(checkConfig(wishes, 'repository')).toMatchObject({ kind: 'valid', warnings: [] });
  });
});
