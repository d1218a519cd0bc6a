import { projectKeyOf, type ProjectKey, type ProjectShare } from '@drydock/core';
import type { ProjectView, TaskQueue } from '@drydock/queue';
import type { PolicyAnswer, PolicySource } from './policy-source.ts';

const projectsPerPage = 500;

/** Every project that the queue knows, with what applies to it. */
export async function* knownProjects(
  queue: Pick<TaskQueue, 'projects'>,
  policies: PolicySource,
): AsyncGenerator<{ readonly project: ProjectView; readonly answer: PolicyAnswer }> {
  for await (const project of projectsOf(queue)) yield { project, answer: policies.policyFor(project) };
}

async function* projectsOf(queue: Pick<TaskQueue, 'projects'>): AsyncGenerator<ProjectView> {
  let cursor: string | null = null;
  do {
    const page = await queue.projects({ limit: projectsPerPage, ...(cursor === null ? {} : { cursor }) });
    yield* page.projects;
    ({ cursor } = page);
  } while (cursor !== null);
}

/**
 * The shares of all known projects: what a setting names stands, and the rest is as policies say. The mere weight of a
 * project that has nothing to do is left out, so that it can be forgotten; it comes back with the next look.
 */
export async function sharesOfPolicies(
  queue: Pick<TaskQueue, 'projects'>,
  policies: PolicySource,
  settings: ReadonlyMap<ProjectKey, ProjectShare> = new Map(),
): Promise<ReadonlyMap<ProjectKey, ProjectShare>> {
  const shares = new Map(settings);
  for await (const { project, answer } of knownProjects(queue, policies)) {
    const key = projectKeyOf(project);
    if (shares.has(key) || answer.kind === 'held') continue;
    const { weight, maxRunning } = answer.policy.share;
    const isIdle = project.waiting + project.running === 0;
    if (maxRunning !== null || (weight !== 1 && !isIdle)) shares.set(key, { weight, maxRunning });
  }
  return shares;
}

/** Tasks that hold a lease, of all projects of a policy. */
export async function runningUnder(
  queue: Pick<TaskQueue, 'projects'>,
  policies: PolicySource,
  name: string,
): Promise<number> {
  let running = 0;
  for await (const project of projectsOf(queue)) {
    if (project.running === 0) continue;
    const answer = policies.policyFor(project);
    if (answer.kind === 'applies' && answer.policy.name === name) running += project.running;
  }
  return running;
}
