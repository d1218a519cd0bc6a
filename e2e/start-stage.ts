import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReviewPolicy, Secret, silentLog, systemClock, taskIdOf, type TaskId } from '@drydock/core';
import type { TaskView } from '@drydock/queue';
import { startStandalone } from '@drydock/standalone';
import {
  scriptedReviewer,
  startFakeClaude,
  startFakeGitLab,
  type ClaudeScript,
  type FakeGitLabOptions,
} from '@drydock/testkit';
import type { z } from 'zod';

/** What differs from the usual stage. */
export interface StageOptions {
  readonly policy?: z.input<typeof ReviewPolicy>;
  readonly script?: ClaudeScript;
  readonly gitlab?: FakeGitLabOptions;
  /** Files of the target branch beside the usual ones. */
  readonly files?: Readonly<Record<string, string>>;
}

const apiKey = 'model-key-canary';
const signingToken = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const offByOne = 'for (let i = 0; i <= rows.length; i += 1) use(rows[i]);\n';

/** Drydock between a strict fake GitLab and a fake Claude, each over real HTTP, with agents as real processes. */
export async function startStage({
  policy = {},
  script = scriptedReviewer(),
  gitlab: gitlabOptions = {},
  files = {},
}: StageOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'drydock-e2e-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const gitlab = stack.use(await startFakeGitLab(gitlabOptions));
  const claude = stack.use(await startFakeClaude({ apiKey, script }));
  const project = await gitlab.createProject({ path: 'shop/orders', files: { 'README.md': '# Orders\n', ...files } });
  const author = gitlab.createUser({ username: 'ada' });
  gitlab.setRole(project, author, 'developer');
  const standalone = stack.use(
    await startStandalone(
      {
        gateway: {
          forges: [{ kind: 'gitlab', id: 'gitlab', baseUrl: gitlab.url, token: new Secret(gitlab.token) }],
          model: { baseUrl: claude.url, apiKey: new Secret(apiKey) },
          markerKeys: [new Secret('m'.repeat(32))],
          proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
          caPem: null,
        },
        policy: ReviewPolicy.parse(policy),
        forgeId: 'gitlab',
        webhookSecrets: [new Secret(signingToken)],
        projects: ['shop/**'],
        redis: null,
        listen: { host: '127.0.0.1', port: 0 },
        debounceMs: 0,
        maxDebounceMs: 0,
        maxRunning: 1,
        dataDir,
        searchPath: process.env['PATH'] ?? '/usr/bin:/bin',
        version: 'test',
      },
      { clock: systemClock, log: silentLog },
    ),
  );
  gitlab.addWebhook({ url: `${standalone.serverUrl}/webhooks/gitlab`, signingToken });
  const kept = stack.move();
  return {
    gitlab,
    claude,
    standalone,
    project,
    author,
    /** Opens a merge request that adds `src/rows.ts` with one bug for each line asked for. */
    async openMergeRequest(open: { readonly bugs?: number; readonly draft?: boolean } = {}) {
      const { bugs = 1, draft = false } = open;
      await gitlab.push(project, 'work', { 'src/rows.ts': rowsFile(bugs) }, { by: author });
      const { iid } = await gitlab.openMergeRequest({
        project,
        sourceBranch: 'work',
        targetBranch: 'main',
        title: 'Rows',
        author,
        draft,
      });
      return { iid, taskId: taskIdOf('review', { forge: 'gitlab', projectId: String(project.id), iid }) };
    },
    /** Waits until the task has ended for the nth launch or later; 0: ended in any way. */
    async ended(taskId: TaskId, launch = 0): Promise<TaskView> {
      await gitlab.deliveriesSettled();
      return await until(async () => {
        const task = await standalone.queue.get(taskId);
        return task !== null && task.outcome !== null && task.launch >= launch && !isAtWork(task) ? task : null;
      });
    },
    /** The summary note as it stands, or null. */
    summary: (iid: number) =>
      gitlab.notes(iid).find((note) => note.type === null && note.authorId === gitlab.bot.id)?.body ?? null,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A file with this many bugs that the scripted reviewer finds, each in a function of its own. */
export function rowsFile(bugs: number): string {
  return Array.from(
    { length: bugs },
    (_, index) => `export function use${String(index)}(rows: string[]) {\n  ${offByOne}}\n`,
  ).join('\n');
}

function isAtWork({ state }: TaskView): boolean {
  return state === 'waiting' || state === 'leased' || state === 'running' || state === 'publishing';
}

/** Asks again and again until there is an answer; the test's own time limit ends it. */
export async function until<T>(ask: () => Promise<T | null> | T | null): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    await systemClock.sleep(20, new AbortController().signal);
  }
}
