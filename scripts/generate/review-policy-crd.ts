import { PolicyStatus, ReviewPolicyObject, policyApiVersion } from '@drydock/policy';
import { stringify } from 'yaml';
import { z } from 'zod';
import { structuralSchema } from './structural-schema.ts';

const [group = '', version = ''] = policyApiVersion.split('/');

const column = (name: string, type: string, jsonPath: string, description: string) => ({
  name,
  type,
  jsonPath,
  description,
});
const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;

const columns = [
  column('Projects', 'string', '.spec.projects', 'Which projects it is for'),
  column('Model', 'string', '.spec.review.model', 'The model that reviews'),
  column('Accepted', 'string', condition('Accepted', 'status'), 'Whether it applies'),
  column('Conflicted', 'string', condition('Conflicted', 'status'), 'Whether another one takes the same projects'),
  column('Matched', 'integer', '.status.matchedProjects', 'Projects with known tasks to which it applies'),
  column('Running', 'integer', '.status.running', 'Reviews of these projects that run'),
  column('Age', 'date', '.metadata.creationTimestamp', 'How old it is'),
  { ...column('Why', 'string', condition('Accepted', 'message'), 'What there is to say of it'), priority: 1 },
];

const Parts = z.object({
  properties: z.object({ spec: z.record(z.string(), z.unknown()) }),
  'x-kubernetes-validations': z.array(z.unknown()),
});

/** The CustomResourceDefinition of `ReviewPolicy`, as YAML. */
export function reviewPolicyCrd(): string {
  const { properties, ...whole } = Parts.parse(structuralSchema(ReviewPolicyObject));
  const openAPIV3Schema = {
    type: 'object',
    description: 'How merge requests of some projects are reviewed. docs/guide/policy.md tells of all of it.',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: properties.spec,
      status: structuralSchema(PolicyStatus),
    },
    required: ['spec'],
    ...whole,
  };
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `reviewpolicies.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind: 'ReviewPolicy',
        listKind: 'ReviewPolicyList',
        plural: 'reviewpolicies',
        singular: 'reviewpolicy',
        shortNames: ['rpol'],
        categories: ['drydock'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema },
        },
      ],
    },
  };
  const head = '# Generated from packages/policy by scripts/generate.ts; `make fix` writes it again.\n';
  return head + stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false });
}
