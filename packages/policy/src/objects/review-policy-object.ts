/**
 * `ReviewPolicy` objects of Kubernetes, `drydock.dev/v1alpha1`. The review part is core's `ReviewPolicy`, the same as in a
 * policy file, with bounds on its lists. The CRD is generated from these schemas: what they refuse the API server refuses.
 */
import { ForgeId, ProjectShare, ReviewPolicy, TaskKind } from '@drydock/core';
import { z } from 'zod';
import { apiSet, apiText, withRules } from './api-rule.ts';
import { ProjectPattern, isProjectId } from './project-pattern.ts';
import { quantityBetween } from './quantity.ts';

/** Group and version of our objects. */
export const policyApiVersion = 'drydock.dev/v1alpha1';

/** What can make a review begin, besides `drydock retry` and what was begun and not finished. */
export const PolicyTrigger = z.enum(['opened', 'pushed', 'retargeted', 'labeled', 'review-requested', 'commanded']);
export type PolicyTrigger = z.infer<typeof PolicyTrigger>;

const label = apiText(1, 255);
const glob = apiText(1, 500);
const model = apiText(1, 200);
const { shape } = ReviewPolicy;

function listOf(field: z.ZodDefault<z.ZodArray<z.ZodString>>, element: z.ZodString, maxItems: number) {
  const list = z.array(element).max(maxItems).default(field.parse(undefined));
  return field.description === undefined ? list : list.describe(field.description);
}

const Review = withRules(
  ReviewPolicy.extend({
    skipLabels: listOf(shape.skipLabels, label, 100),
    triggerLabels: listOf(shape.triggerLabels, label, 100),
    botAuthors: listOf(shape.botAuthors, label, 100),
    ignorePaths: listOf(shape.ignorePaths, glob, 200),
    onlyPaths: listOf(shape.onlyPaths, glob, 200),
    model: model.default(shape.model.parse(undefined)).describe(shape.model.description ?? ''),
    fallbackModels: listOf(shape.fallbackModels, model, 10),
  }),
  [
    {
      rule: 'self.budget.usdPerRun <= self.budget.usdPerDay',
      message: 'budget.usdPerRun must be at most budget.usdPerDay',
      path: ['budget', 'usdPerRun'],
      holds: ({ budget }) => budget.usdPerRun <= budget.usdPerDay,
    },
    {
      rule: 'self.budget.tokensPerRun <= self.budget.tokensPerDay',
      message: 'budget.tokensPerRun must be at most budget.tokensPerDay',
      path: ['budget', 'tokensPerRun'],
      holds: ({ budget }) => budget.tokensPerRun <= budget.tokensPerDay,
    },
    {
      rule: 'self.budget.maxOutputTokensPerTurn <= self.budget.tokensPerRun',
      message: 'budget.maxOutputTokensPerTurn must be at most budget.tokensPerRun',
      path: ['budget', 'maxOutputTokensPerTurn'],
      holds: ({ budget }) => budget.maxOutputTokensPerTurn <= budget.tokensPerRun,
    },
    {
      rule: '!self.triggerLabels.exists(label, label in self.skipLabels)',
      message: 'a label cannot be one of skipLabels and of triggerLabels',
      path: ['triggerLabels'],
      holds: ({ skipLabels, triggerLabels }) => !triggerLabels.some((one) => skipLabels.includes(one)),
    },
    {
      rule: '!(self.model in self.fallbackModels)',
      message: 'model is not its own fallback',
      path: ['fallbackModels'],
      holds: ({ fallbackModels, model: first }) => !fallbackModels.includes(first),
    },
  ],
);

const Toleration = withRules(
  z.strictObject({
    key: z
      .string()
      .regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/)
      .optional(),
    operator: z.enum(['Equal', 'Exists']).default('Equal'),
    value: z
      .string()
      .regex(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/)
      .optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  }),
  [
    {
      rule: "has(self.key) || self.operator == 'Exists'",
      message: 'without a key the operator must be Exists',
      path: ['operator'],
      holds: ({ key, operator }) => key !== undefined || operator === 'Exists',
    },
    {
      rule: "!has(self.value) || self.operator == 'Equal'",
      message: 'the operator Exists takes no value',
      path: ['value'],
      holds: ({ value, operator }) => value === undefined || operator === 'Equal',
    },
  ],
);

const NodeSelector = withRules(
  z
    .record(z.string(), z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/))
    .refine((labels) => Object.keys(labels).length <= 20, { error: 'at most 20 labels' })
    .meta({ maxProperties: 20 }),
  [
    {
      rule: "self.all(key, key.matches('^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$'))",
      message: 'keys must be names of node labels',
      holds: (labels) =>
        Object.keys(labels).every((key) =>
          /^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(key),
        ),
    },
  ],
);

const bytes = /^[0-9]{1,15}(Ki|Mi|Gi|Ti|k|M|G|T)?$/;

/** What a policy says of the pods of its reviews; what it leaves out is the scheduler's own setting. */
export const PolicyPod = z.strictObject({
  resources: z
    .strictObject({
      cpu: quantityBetween('100m', '128', /^([0-9]{1,6}m|[0-9]{1,3}(\.[0-9]{1,3})?)$/).optional(),
      memory: quantityBetween('128Mi', '1Ti', bytes).optional(),
      ephemeralStorage: quantityBetween('128Mi', '4Ti', bytes).optional(),
    })
    .optional()
    .describe('Requests and limits alike; what is left out is the setting of the scheduler'),
  runtimeClassName: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/)
    .optional()
    .describe('RuntimeClass of its pods, such as gvisor'),
  hostUsers: z.boolean().optional().describe('false: pods run in a user namespace of their own'),
  nodeSelector: NodeSelector.optional().describe('Labels of the nodes that its pods may run on'),
  tolerations: z.array(Toleration).max(20).optional().describe('Taints that its pods tolerate'),
});
export type PolicyPod = z.infer<typeof PolicyPod>;

const PolicyConcurrency = withRules(
  z.strictObject({
    maxRunning: z.int().min(1).max(10_000).optional().describe('Reviews of all its projects running at once'),
    maxRunningPerProject: z.int().min(1).max(10_000).optional().describe('Reviews of one project running at once'),
    weight: ProjectShare.shape.weight.default(1).describe('Share of each of its projects beside others'),
  }),
  [
    {
      rule: '!has(self.maxRunning) || !has(self.maxRunningPerProject) || self.maxRunningPerProject <= self.maxRunning',
      message: 'maxRunningPerProject must be at most maxRunning',
      path: ['maxRunningPerProject'],
      holds: ({ maxRunning = Infinity, maxRunningPerProject = 1 }) => maxRunningPerProject <= maxRunning,
    },
  ],
);
export type PolicyConcurrency = z.infer<typeof PolicyConcurrency>;

/** What a policy object asks for. */
export const PolicySpec = withRules(
  z.strictObject({
    forges: apiSet(ForgeId, 20).default([]).describe('Names of the forges it is for; empty: all'),
    projects: apiSet(ProjectPattern, 100)
      .min(1)
      .describe('Projects it is for: numeric ids, paths, globs of paths (group/*, group/**), or * for all'),
    precedence: z
      .int()
      .min(-1000)
      .max(1000)
      .default(0)
      .describe('Of two policies for a project the one with the higher precedence applies'),
    triggers: apiSet(PolicyTrigger, 10)
      .default([...PolicyTrigger.options])
      .describe('What makes a review begin; drydock retry always does'),
    agents: apiSet(TaskKind, 10)
      .min(1)
      .default([...TaskKind.options])
      .describe('What agents do for these projects; review is all they can do as yet'),
    concurrency: PolicyConcurrency.prefault({}).describe('How much of it runs at once'),
    review: Review.prefault({}).describe('How is reviewed, as in a policy file'),
    pod: PolicyPod.prefault({}).describe('Pods of its reviews'),
  }),
  [
    {
      rule: "size(self.forges) > 0 || !self.projects.exists(project, project.matches('^[1-9][0-9]{0,19}$'))",
      message: 'numeric ids are counted by each forge on its own: name the forge in forges',
      path: ['forges'],
      holds: ({ forges, projects }) => forges.length > 0 || !projects.some(isProjectId),
    },
  ],
);
export type PolicySpec = z.infer<typeof PolicySpec>;

/** A `ReviewPolicy` as people write it and as the API server keeps it; of its metadata what we read. */
export const ReviewPolicyObject = withRules(
  z.strictObject({
    apiVersion: z.literal(policyApiVersion),
    kind: z.literal('ReviewPolicy'),
    metadata: z.object({ name: z.string() }),
    spec: PolicySpec,
    status: z.unknown().optional(),
  }),
  [
    {
      rule: 'size(self.metadata.name) <= 63',
      message: 'metadata.name must be at most 63 characters long',
      holds: ({ metadata }) => metadata.name.length <= 63,
    },
  ],
);
export type ReviewPolicyObject = z.infer<typeof ReviewPolicyObject>;
