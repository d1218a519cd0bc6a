import { randomBytes } from 'node:crypto';
import { systemClock, taskIdOf, TaskDetail, type TaskId } from '@drydock/core';
import {
  scriptedReviewer,
  startFakeClaude,
  startFakeGitLab,
  type ClaudeScript,
  type FakeClaude,
  type FakeGitLab,
  type GitLabProject,
  type NewProject,
} from '@drydock/testkit';
import { z } from 'zod';
import { kubectlPath, useCluster, type Cluster, type ClusterNode } from '../../cluster/start-cluster.ts';
import { installChart } from '../../scripts/chart/install-chart.ts';
import { kubectl } from '../../scripts/chart/kubectl.ts';
import { startDrydock, type RunningDrydock } from '../run-drydock.ts';
import { ClusterRecord, jobPrefix } from './cluster-record.ts';
import { letIn } from './let-in.ts';

/** How an installation of a test differs from others. */
export interface ClusterStageOptions {
  /** Of its cluster, which is its own. */
  readonly name: string;
  readonly script?: ClaudeScript;
  /** As of `useCluster`. */
  readonly lostNodeSeconds?: number;
  /** Projects that are reviewed, as the chart takes them. */
  readonly projects?: string;
  /** Further values of the chart; given the node, so that images of a test may be brought. */
  readonly values?: (node: ClusterNode, signal: AbortSignal) => Promise<object>;
}

const List = z.object({ items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })) });
const SecretData = z.object({ data: z.record(z.string(), z.string()).default({}) });
const Pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
      status: z.object({ podIP: z.string().default(''), phase: z.string() }),
    }),
  ),
});

const namespaces = { control: 'drydock', tasks: 'drydock-tasks' } as const;
const openLimitMs = 900_000;

/**
 * Drydock as users install it: a real cluster whose network enforces policies, the images, the chart, Redis in a pod.
 * Beyond the node stand a GitLab and a Claude, which are this process's; only the gateway's pods may reach them.
 */
export class ClusterStage implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly node: ClusterNode;
  readonly gitlab: FakeGitLab;
  readonly claude: FakeClaude;
  readonly record: ClusterRecord;
  readonly #serverUrl: string;
  readonly #secrets: Readonly<Record<'signing' | 'viewer' | 'admin' | 'apiKey', string>>;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    readonly cluster: Cluster;
    readonly node: ClusterNode;
    readonly gitlab: FakeGitLab;
    readonly claude: FakeClaude;
    readonly record: ClusterRecord;
    readonly serverUrl: string;
    readonly secrets: Readonly<Record<'signing' | 'viewer' | 'admin' | 'apiKey', string>>;
    readonly stack: AsyncDisposableStack;
  }) {
    this.cluster = parts.cluster;
    this.node = parts.node;
    this.gitlab = parts.gitlab;
    this.claude = parts.claude;
    this.record = parts.record;
    this.#serverUrl = parts.serverUrl;
    this.#secrets = parts.secrets;
    this.#stack = parts.stack;
  }

  static async open(options: ClusterStageOptions): Promise<ClusterStage> {
    const { name, script = scriptedReviewer(), projects = '*', lostNodeSeconds, values } = options;
    const signal = AbortSignal.timeout(openLimitMs);
    await using stack = new AsyncDisposableStack();
    const cluster = await useCluster({
      ...{ name, level: 'full', isFresh: true, signal },
      ...(lostNodeSeconds === undefined ? {} : { lostNodeSeconds }),
    });
    stack.defer(() => cluster.stop());
    const { node } = cluster;
    if (node === null) throw new Error('this test needs a node of its own');
    const secrets = {
      signing: `whsec_${randomBytes(32).toString('base64')}`,
      viewer: `viewer-canary-${randomBytes(12).toString('hex')}`,
      admin: `admin-canary-${randomBytes(12).toString('hex')}`,
      apiKey: `model-canary-${randomBytes(12).toString('hex')}`,
    };
    const gitlab = stack.use(await startFakeGitLab());
    const claude = stack.use(await startFakeClaude({ apiKey: secrets.apiKey, script }));
    const gitlabInside = stack.use(await letIn(node, gitlab.url));
    const claudeInside = stack.use(await letIn(node, claude.url));
    const record = stack.use(new ClusterRecord(kubectlPath(), cluster.kubeconfigPath));
    await createSecrets(cluster.kubeconfigPath, {
      'webhooks-of-tests': {
        'webhook-secrets': secrets.signing,
        'viewer-tokens': `board:${secrets.viewer}`,
        'admin-tokens': `ann:${secrets.admin}`,
      },
      'keys-of-tests': { 'gitlab-token': gitlab.token, 'anthropic-api-key': secrets.apiKey },
    });
    const own = (await values?.(node, signal)) ?? {};
    await installChart(cluster, {
      signal,
      values: mergeValues(
        {
          forge: { url: gitlabInside.url },
          projects,
          secrets: {
            server: { existingSecret: 'webhooks-of-tests', webhookSecrets: '', viewerTokens: '', adminTokens: '' },
            gateway: { existingSecret: 'keys-of-tests', gitlabToken: '', anthropicApiKey: '' },
          },
          server: { settings: { DRYDOCK_DEBOUNCE_MS: 0, DRYDOCK_MAX_DEBOUNCE_MS: 0 } },
          gateway: { settings: { DRYDOCK_MODEL_URL: claudeInside.url } },
          networkPolicy: { upstreamPorts: [gitlabInside.port, claudeInside.port] },
        },
        own,
      ),
    });
    // From beyond the node, as a forge's webhooks come.
    const server = await addressOf(cluster.kubeconfigPath, 'drydock-server');
    const front = stack.use(await node.forward('world', server, 8080));
    const serverUrl = `http://127.0.0.1:${String(front.port)}`;
    return new ClusterStage({ cluster, node, gitlab, claude, record, serverUrl, secrets, stack: stack.move() });
  }

  /** A project whose webhooks go to the server's pod. */
  async createProject(project: NewProject): Promise<GitLabProject> {
    const made = await this.gitlab.createProject(project);
    const url = `${this.#serverUrl}/webhooks/gitlab`;
    this.gitlab.addWebhook({ url, signingToken: this.#secrets.signing }, made);
    return made;
  }

  taskId(project: GitLabProject, iid: number): TaskId {
    return taskIdOf('review', { forge: 'gitlab', projectId: String(project.id), iid });
  }

  /** The command of a user who may look, or who may change things. */
  drydock(args: readonly string[], role: 'viewer' | 'admin' = 'viewer'): RunningDrydock {
    return startDrydock(args, { DRYDOCK_SERVER_URL: this.#serverUrl, DRYDOCK_TOKEN: this.#secrets[role] });
  }

  /** Runs the command to its end; throws when it fails. */
  async ask(...args: readonly string[]): Promise<string> {
    const command = this.drydock(args);
    const code = await command.ended;
    if (code !== 0) throw new Error(`drydock ${args.join(' ')} ended with ${String(code)}:\n${command.stderr()}`);
    return command.stdout();
  }

  /** What the control API says of a task; null: it is not known yet, or the server asks for patience (503). */
  async detail(taskId: TaskId): Promise<TaskDetail | null> {
    const headers = { authorization: `Bearer ${this.#secrets.viewer}` };
    const response = await fetch(`${this.#serverUrl}/api/v1/tasks/${taskId}`, { headers });
    if (response.status === 404 || response.status === 503) return null;
    if (!response.ok) throw new Error(`the server answered ${String(response.status)}: ${await response.text()}`);
    return TaskDetail.parse(await response.json());
  }

  /** Waits until the task is as it is wanted; says how it is instead when the time is over. */
  async taskIs(taskId: TaskId, isSo: (detail: TaskDetail) => boolean, limitMs = 180_000): Promise<TaskDetail> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const detail = await this.detail(taskId);
      if (detail !== null && isSo(detail)) return detail;
      if (performance.now() > endMs) throw new Error(`it did not come to that: ${JSON.stringify(detail, null, 1)}`);
      await systemClock.sleep(100, new AbortController().signal);
    }
  }

  /** Waits until nothing of any run is left in the cluster. */
  async nothingLeft(limitMs = 60_000): Promise<void> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const left = [...(await this.names('jobs')), ...(await this.names('pods'))];
      if (left.length === 0) return;
      if (performance.now() > endMs) throw new Error(`left are ${left.join(', ')}`);
      await systemClock.sleep(500, new AbortController().signal);
    }
  }

  /** Runs kubectl as somebody with all rights. */
  async kubectl(...args: readonly string[]): Promise<string> {
    return (await kubectl(this.cluster.kubeconfigPath, args)).stdout;
  }

  /** The names of a kind of object in the namespace of the agents. */
  async names(kind: 'jobs' | 'pods'): Promise<readonly string[]> {
    const text = await this.kubectl('--namespace', namespaces.tasks, 'get', kind, '--output', 'json');
    return List.parse(JSON.parse(text)).items.map(({ metadata }) => metadata.name);
  }

  /** Makes or changes objects. */
  async apply(manifest: object): Promise<void> {
    await kubectl(this.cluster.kubeconfigPath, ['apply', '-f', '-'], JSON.stringify(manifest));
  }

  /** The pods that a task has now. */
  async podsOf(taskId: TaskId): Promise<readonly string[]> {
    return (await this.names('pods')).filter((name) => name.startsWith(jobPrefix(taskId)));
  }

  /** Waits until there is no such pod. */
  async podGone(name: string): Promise<void> {
    await this.kubectl('--namespace', namespaces.tasks, 'wait', '--for=delete', `pod/${name}`, '--timeout=120s');
  }

  /** Waits until Kubernetes takes a pod away by itself. */
  async podIsTakenAway(name: string): Promise<void> {
    const what = '--for=jsonpath={.metadata.deletionTimestamp}';
    await this.kubectl('--namespace', namespaces.tasks, 'wait', what, `pod/${name}`, '--timeout=240s');
  }

  /** Waits until a changed deployment is as it was asked for. */
  async rolledOut(name: string): Promise<void> {
    const which = [`deployment/${name}`, '--timeout=180s'];
    await this.kubectl('--namespace', namespaces.control, 'rollout', 'status', ...which);
  }

  /** What the installation and its pods say, for when a test has failed. */
  async logs(component: 'server' | 'scheduler' | 'gateway'): Promise<string> {
    const which = ['--selector', `app.kubernetes.io/name=drydock-${component}`, '--tail=-1'];
    return this.kubectl('--namespace', namespaces.control, 'logs', ...which);
  }

  /** Every secret there is, by what it is: those of this test and those that the chart made. */
  async canaries(): Promise<ReadonlyMap<string, string>> {
    const made = await Promise.all(
      ['drydock-internal', 'drydock-redis'].map(async (name) => {
        const text = await this.kubectl('--namespace', namespaces.control, 'get', 'secret', name, '--output', 'json');
        const { data } = SecretData.parse(JSON.parse(text));
        return Object.entries(data).map(
          ([key, value]) => [`${name}/${key}`, Buffer.from(value, 'base64').toString()] as const,
        );
      }),
    );
    return new Map([...Object.entries(this.#secrets), ['gitlab', this.gitlab.token], ...made.flat()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Before the chart: made by whoever installs it, in the namespace that it goes to. */
async function createSecrets(
  kubeconfig: string,
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<void> {
  const namespace = namespaces.control;
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    ...Object.entries(secrets).map(([name, stringData]) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace },
      stringData,
    })),
  ];
  await kubectl(kubeconfig, ['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
}

async function addressOf(kubeconfig: string, name: string): Promise<string> {
  const which = ['--namespace', namespaces.control, 'get', 'pods', '--selector', `app.kubernetes.io/name=${name}`];
  const { stdout } = await kubectl(kubeconfig, [...which, '--output', 'json']);
  const [pod] = Pods.parse(JSON.parse(stdout)).items.filter(
    ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.phase === 'Running',
  );
  if (pod === undefined || pod.status.podIP === '') throw new Error(`no pod of ${name} runs`);
  return pod.status.podIP;
}

/** As helm merges values: groups by their keys, all else as a whole. */
function mergeValues(one: object, other: object): object {
  const merged = new Map<string, unknown>(Object.entries(one));
  for (const [key, value] of Object.entries(other) as [string, unknown][]) {
    const before = merged.get(key);
    merged.set(key, isGroup(before) && isGroup(value) ? mergeValues(before, value) : value);
  }
  return Object.fromEntries(merged);
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
