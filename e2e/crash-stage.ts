import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret, silentLog, taskIdOf, type CrashPoint, type TaskEvent, type TaskId } from '@drydock/core';
import { connectRedis, connectRedisTaskQueue, type TaskView } from '@drydock/queue';
import {
  scriptedReviewer,
  startFakeClaude,
  startFakeGitLab,
  startProcess,
  type ClaudeScript,
  type GitLabProject,
  type RedisServer,
  type StartedProcess,
} from '@drydock/testkit';
import { startDrydock, type RunningDrydock } from './run-drydock.ts';
import { rowsFile, until } from './start-stage.ts';
import { openTcpFront, type TcpFront } from './tcp-front.ts';

/** The processes of an installation. */
export type ProcessName = 'server' | 'scheduler' | 'gateway';

const secrets = {
  control: 'control-canary-0123456789',
  apiKey: 'model-key-canary',
  marker: 'marker-canary-0123456789',
  view: 'view-canary-0123456789abcdef0123456789',
  viewer: 'viewer-canary-0123456789abcdef0123456789',
  signing: `whsec_${Buffer.from('signing-canary-0123456789abcdef!').toString('base64')}`,
};
const bugs = 3;

/**
 * An installation of three processes on its own part of a Redis, with a forge and a model of its own. One case follows
 * another, each with a project of its own: only the process that is to die, and who goes on for it, are started anew.
 */
export class CrashStage implements AsyncDisposable {
  readonly gitlab: Awaited<ReturnType<typeof startFakeGitLab>>;
  readonly claude: Awaited<ReturnType<typeof startFakeClaude>>;
  readonly #redisUrl: string;
  readonly #root: string;
  readonly #fronts: Readonly<Record<'server' | 'gateway', TcpFront>>;
  readonly #started: StartedProcess[] = [];
  readonly #stack: AsyncDisposableStack;
  readonly #queue: Awaited<ReturnType<typeof connectRedisTaskQueue>>;
  readonly #leading = new Map<ProcessName, StartedProcess>();
  #count = 0;
  #project: GitLabProject | null = null;
  #callsBefore = 0;

  private constructor(parts: {
    readonly gitlab: CrashStage['gitlab'];
    readonly claude: CrashStage['claude'];
    readonly queue: Awaited<ReturnType<typeof connectRedisTaskQueue>>;
    readonly redisUrl: string;
    readonly root: string;
    readonly fronts: Readonly<Record<'server' | 'gateway', TcpFront>>;
    readonly stack: AsyncDisposableStack;
  }) {
    this.gitlab = parts.gitlab;
    this.claude = parts.claude;
    this.#queue = parts.queue;
    this.#redisUrl = parts.redisUrl;
    this.#root = parts.root;
    this.#fronts = parts.fronts;
    this.#stack = parts.stack;
  }

  /** `database` is the part of the Redis that nobody else uses. */
  static async open(redis: RedisServer, database: number) {
    await using stack = new AsyncDisposableStack();
    const root = await mkdtemp(join(tmpdir(), 'drydock-crash-'));
    stack.defer(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));
    await mkdir(join(root, 'runs'));
    const gitlab = stack.use(await startFakeGitLab());
    const claude = stack.use(await startFakeClaude({ apiKey: secrets.apiKey, script: scriptedReviewer() }));
    const redisUrl = `${redis.url}/${String(database)}`;
    const queue = await connectRedisTaskQueue({ url: new Secret(redisUrl), log: silentLog });
    stack.defer(() => queue.close());
    const fronts = { server: stack.use(await openTcpFront()), gateway: stack.use(await openTcpFront()) };
    return new CrashStage({ gitlab, claude, queue, redisUrl, root, fronts, stack: stack.move() });
  }

  /** A project that nothing has happened in; the installation is whole. */
  async begin(script: ClaudeScript = scriptedReviewer()): Promise<void> {
    const { gitlab, claude } = this;
    claude.setScript(script);
    this.#callsBefore = claude.requests.length;
    this.#count += 1;
    const path = `shop/orders-${String(this.#count)}`;
    this.#project = await gitlab.createProject({ path, files: { 'README.md': '# Orders\n' } });
    const url = `${this.#fronts.server.url}/webhooks/gitlab`;
    gitlab.addWebhook({ url, signingToken: secrets.signing }, this.#project);
  }

  /** Whether the merge request has got a second head. */
  get isPushedAgain(): boolean {
    return this.gitlab.mergeRequest(1, this.project).versions.length > 1;
  }

  get project(): GitLabProject {
    if (this.#project === null) throw new Error('no case has begun');
    return this.#project;
  }

  /** Of the merge request of the case. */
  get taskId(): TaskId {
    return taskIdOf('review', { forge: 'gitlab', projectId: String(this.project.id), iid: 1 });
  }

  /** Another webhook of the project, which leads to one process. */
  async hookTo(server: StartedProcess): Promise<void> {
    const { port } = await server.logged('server started');
    const url = `http://127.0.0.1:${String(port)}/webhooks/gitlab`;
    this.gitlab.addWebhook({ url, signingToken: secrets.signing }, this.project);
  }

  /** What happened to its task, oldest first. */
  events(): Promise<readonly TaskEvent[]> {
    return this.#queue.events(this.taskId);
  }

  /** What an agent asks the gateway with the token of a run: the status of the answer. */
  async askAsAgent(token: string): Promise<number> {
    const url = `${this.#fronts.gateway.url}/run/v1/context`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** The token of the one agent that works: who is root of this machine can read it. */
  async runToken(): Promise<string> {
    const runs = join(this.#root, 'runs');
    const [folder = ''] = (await readdir(runs)).filter((name) => !name.startsWith('compiled-'));
    return readFile(join(runs, folder, 'run-token'), 'utf8');
  }

  /** The command of a user who may look. */
  drydock(args: readonly string[]): RunningDrydock {
    return startDrydock(args, { DRYDOCK_SERVER_URL: this.#fronts.server.url, DRYDOCK_TOKEN: secrets.viewer });
  }

  /** What the model was asked since the case began. */
  get calls() {
    return this.claude.requests.slice(this.#callsBefore);
  }

  /** Starts a process and waits until it works; it dies at the point, if there is one. */
  async start(
    name: ProcessName,
    point: string | null = null,
    changes: Readonly<Record<string, string>> = {},
  ): Promise<StartedProcess> {
    this.#count += 1;
    const crash = point === null ? {} : { DRYDOCK_CRASH_AT: point, NODE_ENV: 'test' };
    const main = new URL(`../packages/${name}/src/main.ts`, import.meta.url);
    const started = startProcess(main, { ...this.#settingsOf(name, this.#count), ...crash, ...changes });
    this.#started.push(started);
    await started.logged(`${name} started`);
    return started;
  }

  /** From now on this instance, and no other, does the work. */
  async lead(name: ProcessName, to: StartedProcess): Promise<void> {
    const before = this.#leading.get(name);
    this.#leading.set(name, to);
    before?.kill('SIGTERM');
    await before?.ended;
    const { port } = await to.logged(`${name} started`);
    if (name !== 'scheduler') this.#fronts[name].leadTo(Number(port));
  }

  /** Sees to it that these work, whoever they are. */
  async keep(...names: readonly ProcessName[]): Promise<void> {
    const absent = names.filter((name) => !this.#leading.has(name));
    await Promise.all(absent.map(async (name) => this.lead(name, await this.start(name))));
  }

  /** Somebody opens a merge request with some bugs; its webhook is on its way. */
  async openMergeRequest(): Promise<void> {
    const { gitlab, project } = this;
    const author = gitlab.createUser({ username: 'ada' });
    gitlab.setRole(project, author, 'developer');
    await gitlab.push(project, 'work', { 'src/rows.ts': rowsFile(bugs) }, { by: author });
    await gitlab.openMergeRequest({
      project,
      sourceBranch: 'work',
      targetBranch: 'main',
      title: 'Rows',
      author,
    });
  }

  /** Somebody pushes once more: another bug. */
  async pushAgain(): Promise<void> {
    await this.gitlab.push(this.project, 'work', { 'src/more.ts': rowsFile(1) });
  }

  /** The task once it has ended and nobody works on it. */
  async quiet(): Promise<TaskView> {
    return until(async () => {
      const task = await this.#queue.get(this.taskId);
      if (task === null || task.outcome === null) return null;
      if (['waiting', 'leased', 'running', 'publishing'].includes(task.state)) return null;
      return (await this.#queue.stats()).running === 0 ? task : null;
    });
  }

  /** Tells every process to end, and gives how those ended that were not killed. */
  async stopAll(): Promise<readonly { readonly code: number | null; readonly lastWords: string }[]> {
    for (const process of this.#started) process.kill('SIGTERM');
    const ends = await Promise.all(
      this.#started.map(async (process) => ({ ...(await process.ended), lastWords: process.stderr.slice(-1000) })),
    );
    return ends.filter(({ signal }) => signal !== 'SIGKILL');
  }

  /** All that the processes wrote. */
  get said(): string {
    return this.#started.map(({ stdout, stderr }) => stdout + stderr).join('');
  }

  /** Secrets that no note, log or prompt may hold. */
  get canaries(): readonly string[] {
    return [...Object.values(secrets), this.gitlab.token];
  }

  /** Folders of runs that are left, and processes that still work in one. */
  async orphans(): Promise<readonly string[]> {
    const runs = join(this.#root, 'runs');
    const folders = (await readdir(runs)).filter((name) => !name.startsWith('compiled-'));
    const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
    const places = await Promise.all(
      pids.map(async (pid) => ({ pid, cwd: await readlink(`/proc/${pid}/cwd`).catch(() => '') })),
    );
    return [
      ...folders,
      ...places
        .filter(({ cwd }) => cwd.startsWith(runs) && !cwd.includes('/compiled-'))
        .map(({ pid }) => `process ${pid}`),
    ];
  }

  /** Keys of the gateway that nothing would ever remove. */
  async eternalKeys(): Promise<readonly string[]> {
    const redis = await connectRedis({ url: new Secret(this.#redisUrl) }, silentLog);
    try {
      const names = await redis.keys('*gateway:*');
      const lives = await Promise.all(names.map(async (name) => ({ name, ttl: await redis.ttl(name) })));
      return lives.filter(({ ttl }) => ttl < 0).map(({ name }) => name);
    } finally {
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#started) process.kill('SIGCONT');
    for (const process of this.#started) await process[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }

  #settingsOf(name: ProcessName, count: number): Record<string, string> {
    const common = {
      PATH: process.env['PATH'] ?? '',
      DRYDOCK_REDIS_URL: this.#redisUrl,
      NODE_COMPILE_CACHE: join(this.#root, 'compiled'), // half of what starting costs
    };
    switch (name) {
      case 'server':
        return {
          ...common,
          DRYDOCK_SERVER_HOST: '127.0.0.1',
          DRYDOCK_SERVER_PORT: '0',
          DRYDOCK_WEBHOOK_SECRETS: secrets.signing,
          DRYDOCK_VIEWER_TOKENS: `board:${secrets.viewer}`,
          DRYDOCK_GATEWAY_URL: this.#fronts.gateway.url,
          DRYDOCK_GATEWAY_VIEW_TOKEN: secrets.view,
          DRYDOCK_DEBOUNCE_MS: '0',
          DRYDOCK_MAX_DEBOUNCE_MS: '0',
        };
      case 'scheduler':
        return {
          ...common,
          DRYDOCK_SCHEDULER_HOST: '127.0.0.1',
          DRYDOCK_SCHEDULER_PORT: '0',
          DRYDOCK_SCHEDULER_OWNER: `scheduler-${String(count)}`,
          DRYDOCK_GATEWAY_URL: this.#fronts.gateway.url,
          DRYDOCK_CONTROL_TOKEN: secrets.control,
          DRYDOCK_AGENT_ENTRY: new URL('../packages/agent/src/main.ts', import.meta.url).pathname,
          DRYDOCK_WORK_ROOT: join(this.#root, 'runs'),
          DRYDOCK_LEASE_TTL_MS: '5000',
          DRYDOCK_POLL_MS: '200',
          DRYDOCK_BLOCKED_DELAY_MS: '1000',
          DRYDOCK_AGENT_GRACE_MS: '500',
        };
      case 'gateway':
        return {
          ...common,
          DRYDOCK_GATEWAY_HOST: '127.0.0.1',
          DRYDOCK_GATEWAY_PORT: '0',
          DRYDOCK_GATEWAY_DATA_DIR: join(this.#root, `gateway-${String(count)}`),
          DRYDOCK_GATEWAY_ANSWERS_DIR: join(this.#root, 'answers'),
          DRYDOCK_CONTROL_TOKEN: secrets.control,
          DRYDOCK_VIEW_TOKENS: secrets.view,
          DRYDOCK_GITLAB_URL: this.gitlab.url,
          DRYDOCK_GITLAB_TOKEN: this.gitlab.token,
          ANTHROPIC_API_KEY: secrets.apiKey,
          DRYDOCK_MODEL_URL: this.claude.url,
          DRYDOCK_MARKER_KEYS: secrets.marker,
        };
    }
  }
}

/** Which process a point is in. */
export function processOf(point: CrashPoint): ProcessName {
  if (point.startsWith('ingest.')) return 'server';
  if (point === 'publish.recorded' || point === 'publish.answered') return 'scheduler';
  return /^(task|launch|ending)\./.test(point) ? 'scheduler' : 'gateway';
}
