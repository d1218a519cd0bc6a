import { ReviewPolicy, TaskContext, type DiffRefs } from '@drydock/core';

/** A task whose parts are given and whose rest does not matter. */
export function aContext(
  diffRefs: DiffRefs,
  facts: {
    readonly policy?: Readonly<Record<string, unknown>>;
    readonly mergeRequest?: Partial<TaskContext['mergeRequest']>;
    readonly guidelines?: TaskContext['guidelines'];
    readonly earlierFindings?: TaskContext['earlierFindings'];
    readonly launch?: number;
    readonly trigger?: TaskContext['trigger'];
  } = {},
): TaskContext {
  return TaskContext.parse({
    v: 1,
    taskId: 'review:gitlab:42:7',
    launch: facts.launch ?? 1,
    subject: { forge: 'gitlab', projectId: '42', iid: 7 },
    trigger: facts.trigger ?? 'opened',
    mergeRequest: {
      title: 'Add a thing',
      description: 'It adds a thing.',
      author: 'ines',
      sourceBranch: 'feature',
      targetBranch: 'main',
      labels: [],
      ...facts.mergeRequest,
    },
    diffRefs,
    policy: ReviewPolicy.parse(facts.policy ?? {}),
    guidelines: facts.guidelines ?? [],
    earlierFindings: facts.earlierFindings ?? [],
    delimiter: 'mark0123456789abcdef',
  });
}
