import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { TaskDetail, TaskId } from '@drydock/core';
import type { GitLabProject, GitLabUser } from '@drydock/testkit';
import { bringProgram } from '../../cluster/start-cluster.ts';
import { ClusterStage } from './cluster-stage.ts';

const program = { name: 'localhost/drydock/agent', program: join(import.meta.dirname, 'rogue-agent.ts') };

/** A merge request whose agent does what the title says. */
export interface Opened {
  readonly project: GitLabProject;
  readonly iid: number;
  readonly taskId: TaskId;
}

/** An installation whose agents do what the titles of their merge requests say: `rogue-agent.ts`. */
export class RogueStage implements AsyncDisposable {
  readonly stage: ClusterStage;
  readonly author: GitLabUser;
  #count = 0;

  private constructor(stage: ClusterStage) {
    this.stage = stage;
    this.author = stage.gitlab.createUser({ username: 'ada' });
  }

  static async open(options: {
    readonly name: string;
    readonly lostNodeSeconds?: number;
    /** Values of the chart for its schedulers. */
    readonly scheduler: object;
  }): Promise<RogueStage> {
    const { scheduler, ...rest } = options;
    const stage = await ClusterStage.open({
      ...rest,
      values: async (node, signal) => ({
        image: { tags: { agent: tagOf(await bringProgram(node, program, signal)) } },
        scheduler,
      }),
    });
    return new RogueStage(stage);
  }

  async openMergeRequest(title: string, group = 'small'): Promise<Opened> {
    const { stage, author } = this;
    const { gitlab } = stage;
    this.#count += 1;
    const files = { 'README.md': '# A project\n' };
    const project = await stage.createProject({ path: `${group}/case-${String(this.#count)}`, files });
    gitlab.setRole(project, author, 'developer');
    await gitlab.push(project, 'work', { 'src/a.ts': 'export const a = 1;\n' }, { by: author });
    const branches = { sourceBranch: 'work', targetBranch: 'main' };
    const { iid } = await gitlab.openMergeRequest({ project, ...branches, title, author });
    await gitlab.deliveriesSettled();
    return { project, iid, taskId: stage.taskId(project, iid) };
  }

  /** The one note that tells how it is; there is never a second one. */
  summary({ project, iid }: Opened): string {
    const { gitlab } = this.stage;
    const notes = gitlab.notes(iid, project).filter(({ authorId }) => authorId === gitlab.bot.id);
    expect(notes).toHaveLength(1);
    return notes[0]?.body ?? '';
  }

  /** Waits until the agent of an attempt has said that it is at work; returns the name of its pod. */
  async atWork({ taskId }: Opened, attempt = 1): Promise<string> {
    const logs = this.stage.drydock(['logs', '-f', taskId, '--attempt', String(attempt)]);
    await logs.says('rogue agent');
    logs.stop();
    await logs.ended;
    const pods = await this.stage.podsOf(taskId);
    expect(pods).toHaveLength(1);
    return pods[0] ?? '';
  }

  /** How often an agent was begun: each launch has one pod, and no more. */
  async launches({ taskId }: Opened): Promise<number> {
    const detail = await this.stage.taskIs(taskId, () => true);
    const launched = detail.events.filter(({ what }) => what === 'launched').length;
    expect(this.stage.record.podsSeen(taskId).length).toBe(launched);
    return launched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
  }
}

/** Whether nothing more becomes of a task by itself. */
export const isOver = ({ task }: TaskDetail): boolean =>
  /^(done|skipped|cancelled|dead)$/.test(task.state) && task.outcome !== null;

/** Whether a task was tried once more for this reason. */
export const isRetrying =
  (code: string) =>
  ({ events }: TaskDetail): boolean =>
    events.some(({ what, detail }) => what === 'retrying' && detail === code);

function tagOf(reference: string): string {
  return reference.split(':').at(-1) ?? '';
}
