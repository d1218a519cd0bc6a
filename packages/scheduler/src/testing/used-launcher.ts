import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { V1Job } from '@drydock/kube';
import { jobName } from '../launchers/kube/job-labels.ts';
import { buildJob } from '../launchers/kube/job-manifest.ts';
import type { AgentLaunch } from '../launchers/launcher.ts';
import { PodSettings } from '../launchers/pod-settings.ts';
import { KubeStage, type StagedLauncher } from './kube-stage.ts';

/** A stage for all tests of a group; for each of them a launcher, and a launch of a run of its own. */
export class UsedLauncher {
  #stage: KubeStage | null = null;
  #staged: StagedLauncher | null = null;
  #count = 0;

  constructor() {
    beforeAll(async () => {
      this.#stage = await KubeStage.open();
    }, 120_000);
    afterAll(async () => {
      await this.stage[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      this.#staged = await this.stage.startLauncher();
      this.#count += 1;
    });
    afterEach(async () => {
      await this.staged[Symbol.asyncDispose]();
    });
  }

  get stage(): KubeStage {
    if (this.#stage === null) throw new Error('no test runs yet');
    return this.#stage;
  }

  get staged(): StagedLauncher {
    if (this.#staged === null) throw new Error('no test runs yet');
    return this.#staged;
  }

  get launch(): AgentLaunch & { readonly taskId: string } {
    const runId = `${this.#count.toString(16).padStart(16, '0')}-1`;
    return { runId, taskId: `review:gitlab:42:${String(this.#count)}`, token: null, deadlineSeconds: 600 };
  }

  /** The Jobs that have the name of the run or one of its spares. */
  async ours() {
    const name = jobName(this.launch.runId);
    return (await this.stage.jobs()).filter(({ metadata }) => metadata.name.startsWith(name));
  }

  /** Whatever has the label, ended or not. */
  async podsOfRun() {
    const { runId } = this.launch;
    return (await this.stage.pods()).filter(({ metadata }) => metadata.labels['drydock.dev/run'] === runId);
  }

  /** The Job as an earlier scheduler asked for it. */
  asked({ deadlineSeconds }: { readonly deadlineSeconds: number }): V1Job {
    const { runId, taskId } = this.launch;
    return buildJob({ runId, taskId, kind: 'review', deadlineSeconds }, this.stage.settings, PodSettings.parse({}));
  }

  /** A Job of the name, by somebody who knows nothing of us. */
  somebodyElses() {
    const labels = { app: 'other' };
    const spec = { restartPolicy: 'Never', containers: [{ name: 'other', image: 'other' }] };
    const metadata = { namespace: this.stage.namespace, name: jobName(this.launch.runId), labels };
    return { metadata, spec: { template: { metadata: { labels }, spec } } };
  }

  /** All calls of the launcher but those of its watches. */
  calls(): readonly string[] {
    return this.staged.proxy.requests
      .filter(({ verb }) => verb !== 'watch' && verb !== 'list')
      .map(({ verb, resource }) => `${verb} ${resource}`);
  }
}
