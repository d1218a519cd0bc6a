import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, silentLog, taskIdOf } from '@drydock/core';
import type { RunningGateway } from '@drydock/gateway';
import {
  MemorySweepState,
  MemoryTaskQueue,
  RedisSweepState,
  connectRedis,
  connectRedisTaskQueue,
  type SweepLock,
  type SweepState,
  type TaskQueue,
} from '@drydock/queue';
import type { RunningSweep } from '@drydock/scheduler';
import {
  ManualClock,
  startFakeGitLab,
  startRedisServer,
  whyNoRedisServer,
  type FakeGitLab,
  type GitLabProject,
} from '@drydock/testkit';
import {
  dayMs,
  everyMs,
  hourMs,
  minuteMs,
  passTime,
  startForgeGateway,
  startSweepOver,
} from './testing/sweep-stage.ts';

const projectCount = 20;
const perProject = 25;

describe('the sweep between a GitLab and the queue', () => {
  let clock: ManualClock;
  let gitlab: FakeGitLab;
  let gateway: RunningGateway;
  let folder: string;
  let projects: GitLabProject[];
  let askedBefore: number;
  const sweeps: RunningSweep[] = [];

  beforeAll(async () => {
    clock = new ManualClock(Date.now());
    gitlab = await startFakeGitLab({ clock, requestsPerMinute: null });
    folder = await mkdtemp(join(tmpdir(), 'drydock-sweep-'));
    gateway = await startForgeGateway(gitlab, join(folder, 'mirrors'));
    projects = [];
    for (let number = 1; number <= projectCount; number += 1) projects.push(await aProject(`shop/p${String(number)}`));
  });
  afterAll(async () => {
    await gateway.close();
    await gitlab[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    for (const mergeRequest of projects.flatMap(({ mergeRequests }) => mergeRequests)) {
      mergeRequest.state = 'opened';
      mergeRequest.updatedAtMs = clock.nowMs() - 10 * dayMs;
    }
    askedBefore = gitlab.requests.length;
  });
  afterEach(stopAll);

  /** One with 25 open merge requests, and a webhook whose calls lead nowhere. */
  async function aProject(path: string): Promise<GitLabProject> {
    const project = await gitlab.createProject({ path, files: { 'a.txt': 'a\n' } });
    await gitlab.push(project, 'b', { 'a.txt': 'b\n' }, { from: 'main' });
    const open = { project, sourceBranch: 'b', title: 'A change', author: gitlab.bot };
    const first = await gitlab.openMergeRequest(open);
    for (let iid = 2; iid <= perProject; iid += 1) {
      project.mergeRequests.push({ ...first, id: first.id + 100_000 + iid, iid });
    }
    gitlab.addWebhook({ url: 'http://127.0.0.1:9/webhooks/gitlab' }, project);
    return project;
  }

  async function stopAll(): Promise<void> {
    const stopping = Promise.all(sweeps.splice(0).map((sweep) => sweep.stop()));
    await clock.advance(0);
    await stopping;
  }

  function start(queue: TaskQueue, state: SweepState & SweepLock, owner = 'a'): RunningSweep {
    const sweep = startSweepOver({ gateway, clock, queue, state }, owner);
    sweeps.push(sweep);
    return sweep;
  }

  const pass = (ms: number, sleeping = 1) => passTime(clock, ms, sleeping);

  /** Calls of the API since the test or the last look at them, by what they ask for. */
  function calls(): { readonly projects: number; readonly mergeRequests: number; readonly hooks: number } {
    const paths = gitlab.requests.slice(askedBefore).map(({ path }) => path.replace(/\?.*/, ''));
    askedBefore = gitlab.requests.length;
    const count = (pattern: RegExp) => paths.filter((path) => pattern.test(path)).length;
    const counted = {
      projects: count(/\/projects$/),
      mergeRequests: count(/\/merge_requests$/),
      hooks: count(/\/hooks/),
    };
    expect(paths).toHaveLength(counted.projects + counted.mergeRequests + counted.hooks);
    return counted;
  }

  const taskIds = (of: readonly GitLabProject[]) =>
    of.flatMap((project) =>
      project.mergeRequests.map(({ iid }) =>
        taskIdOf('review', { forge: 'gitlab', projectId: String(project.id), iid }),
      ),
    );

  async function statesOf(queue: TaskQueue, ids: readonly string[]): Promise<readonly (string | null)[]> {
    return [...new Set(await Promise.all(ids.map(async (id) => (await queue.get(id))?.state ?? null)))];
  }

  /** All merge requests change within an hour, and no webhook comes through. */
  function changeAll(): void {
    projects.forEach((project, at) => {
      project.mergeRequests.forEach((mergeRequest, index) => {
        mergeRequest.updatedAtMs = clock.nowMs() + Math.floor((hourMs * (at * perProject + index)) / 500);
      });
    });
  }

  async function reviewAll(queue: TaskQueue): Promise<number> {
    const limits = { total: 10_000, perForge: null, perProject: null };
    for (let count = 0; ; count += 1) {
      const task = await queue.lease({ owner: 's', ttlMs: hourMs, limits });
      if (task === null) return count;
      await queue.beginLaunch(task, task.headSha ?? '');
      await queue.complete(task, { kind: 'done' });
    }
  }

  it('queues 500 merge requests of 20 projects in one interval, with two calls for each page or fewer', async () => {
    const queue = new MemoryTaskQueue({ clock });
    const state = new MemorySweepState(clock);
    start(queue, state);
    await pass(minuteMs);
    const before = await statesOf(queue, taskIds(projects));
    await stopAll();

    changeAll();
    clock.jump(hourMs); // neither server nor scheduler is there
    calls();
    start(queue, state);
    await pass(everyMs - minuteMs);
    const asked = calls();

    expect(before).toEqual([null]);
    expect(await statesOf(queue, taskIds(projects))).toEqual(['waiting']);
    // Five pages of a hundred; what the overlap brings again may begin a sixth.
    expect(asked).toEqual({ projects: 1, mergeRequests: 6, hooks: expect.any(Number) });
    expect(1 + 6 + asked.hooks).toBeLessThanOrEqual(2 * projectCount);
  });

  it('does so project by project, too', async () => {
    const queue = new MemoryTaskQueue({ clock });
    const state = new MemorySweepState(clock);
    changeAll();
    clock.jump(hourMs);

    start(queue, state);
    await pass(minuteMs);

    expect(await statesOf(queue, taskIds(projects))).toEqual(['waiting']);
    expect(calls()).toEqual({ projects: 1, mergeRequests: projectCount, hooks: 9 });
  });

  it('leaves alone what was closed meanwhile, and what was reviewed', async () => {
    const queue = new MemoryTaskQueue({ clock });
    changeAll();
    clock.jump(hourMs);
    const [closed, ...others] = projects;
    for (const mergeRequest of closed?.mergeRequests ?? []) mergeRequest.state = 'closed';
    start(queue, new MemorySweepState(clock));
    await pass(minuteMs);
    await clock.advance(minuteMs);

    const reviewed = await reviewAll(queue);
    for (const project of others) for (const one of project.mergeRequests) one.updatedAtMs = clock.nowMs(); // comments
    await pass(2 * everyMs);

    expect(reviewed).toBe(500 - perProject);
    expect(await statesOf(queue, taskIds(others))).toEqual(['done']);
    expect(await statesOf(queue, taskIds(closed === undefined ? [] : [closed]))).toEqual([null]);
  });

  (whyNoRedisServer() === null ? it : it.skip)(
    'keeps its place in Redis over a restart, and compares everything again when Redis was emptied',
    async () => {
      await using server = await startRedisServer();
      const url = new Secret(server.url);
      const queue = await connectRedisTaskQueue({ url, log: silentLog });
      const state = new RedisSweepState(await connectRedis({ url }, silentLog));
      changeAll();
      clock.jump(hourMs);
      start(queue, state);
      await pass(minuteMs);
      const queued = (await queue.stats()).waiting;
      await stopAll();
      const known = await state.read('gitlab');

      start(queue, state, 'b');
      clock.jump(hourMs);
      calls();
      await pass(everyMs);
      const asked = calls();
      const queuedTwice = (await queue.stats()).waiting;

      const admin = await connectRedis({ url }, silentLog);
      await admin.flushall();
      admin.disconnect();
      await pass(2 * everyMs);
      const again = (await queue.stats()).waiting;
      const { isSweepDue } = await queue.epoch();
      await stopAll();
      state.close();
      await queue.close();

      expect({ queued, queuedTwice, again, isSweepDue }).toEqual({
        queued: 500,
        queuedTwice: 500,
        again: 500,
        isSweepDue: false,
      });
      expect(known.progress?.watermarkMs).toBeGreaterThan(clock.nowMs() - dayMs);
      expect(asked.mergeRequests).toBeLessThan(projectCount);
    },
  );
});
