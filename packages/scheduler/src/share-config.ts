import { ProjectKey, ProjectShare } from '@drydock/core';
import { z } from 'zod';

const limit = z.coerce.number().int().min(1).optional();

/** A share as an operator writes it: what is left out holds as usual. */
const WrittenShare = z
  .strictObject({
    weight: ProjectShare.shape.weight.default(1),
    maxRunning: ProjectShare.shape.maxRunning.default(null),
  })
  .pipe(ProjectShare);

const Shares = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'no JSON' });
      return z.NEVER;
    }
  })
  .pipe(z.record(ProjectKey, WrittenShare, { error: 'shares by project, such as {"gitlab:42": {"weight": 3}}' }))
  .transform((shares): ReadonlyMap<ProjectKey, ProjectShare> => new Map(Object.entries(shares)));

/** How projects and forges share what runs at once. */
export const ShareConfig = z.object({
  maxRunningPerForge: limit.describe('Tasks of one forge running at once, over all schedulers; without it no limit'),
  maxRunningPerProject: limit.describe(
    'Tasks of one project running at once, over all schedulers; without it no limit',
  ),
  projectShares: Shares.optional().describe(
    'Projects that get more or less than others, as JSON: {"gitlab:42": {"weight": 3, "maxRunning": 2}}; weight 1 to 100, usually 1. They stay in the queue until another scheduler says otherwise; {} clears them',
  ),
});
export type ShareConfig = z.infer<typeof ShareConfig>;
