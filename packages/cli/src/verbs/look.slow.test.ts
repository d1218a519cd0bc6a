import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { exitCodes } from '../exit-codes.ts';
import { aTask, adminToken, nowMs, viewerToken, type FakeControlApi } from '../client/testing/fake-control-api.ts';
import { runAt, startAt, startShopApi } from '../testing/shop-control-api.ts';
import { startCommand } from '../testing/start-command.ts';
import { startProcess } from '../testing/start-process.ts';

/** Resolves when it holds; the time limit of the test ends the wait. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

let api: FakeControlApi;
beforeEach(async () => {
  api = await startShopApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

const start = (args: readonly string[], environment?: Record<string, string>) => startAt(api, args, environment);
const drydock = (args: string, environment?: Record<string, string>) => runAt(api, args, environment);

describe('drydock get', () => {
  it('lists tasks as a table, without colour where nobody looks', async () => {
    expect(await drydock('get tasks')).toEqual({
      code: exitCodes.ok,
      stderr: '',
      stdout: `NAME                  MERGE REQUEST   STATE     TRIGGER   ATTEMPTS   AGE
review:gitlab:42:7    shop/api!7      waiting   pushed    0          5m12s
review:gitlab:42:8    shop/api!8      running   pushed    1          5m12s
review:gitlab:42:12   shop/api!12     dead      pushed    3          5m12s
review:gitlab:43:13   shop/web!13     dead      pushed    3          5m12s
review:gitlab:42:14   shop/api!14     dead      pushed    3          5m12s
`,
    });
  });

  it.each([
    ['get t shop/web -o name', 'review:gitlab:43:13\n'],
    ['get task -l state=dead,project=shop/api -o name', 'review:gitlab:42:12\nreview:gitlab:42:14\n'],
    ['get dl -o name --sort-by=error', 'review:gitlab:42:12\nreview:gitlab:43:13\nreview:gitlab:42:14\n'],
    ['get tasks --sort-by=-name -o name --limit 2', 'review:gitlab:43:13\nreview:gitlab:42:8\n'],
    ['get projects --no-headers', 'gitlab:42   shop/api   1   1   no\ngitlab:43   shop/web   0   0   no\n'],
    ['get p shop/w* -o name', 'gitlab:43\n'],
    ['get p gitlab:42 -o name', 'gitlab:42\n'],
  ])('%s', async (args, stdout) => {
    expect(await drydock(args, { DRYDOCK_TOKEN: viewerToken })).toMatchObject({ code: exitCodes.ok, stdout });
  });

  it('gives one thing by itself in JSON, many as a list', async () => {
    const one = await drydock('get task shop/api!7 -o json');
    const many = await drydock('get task shop/* -o json');

    expect(JSON.parse(one.stdout)).toEqual(api.tasks[0]);
    expect(JSON.parse(many.stdout)).toEqual({ v: 1, tasks: api.tasks });
  });

  it('tells what is not there, and what is not shown', async () => {
    expect(await drydock('get task shop/api!99 review:gitlab:42:7 -o name')).toEqual({
      code: exitCodes.notFound,
      stdout: 'review:gitlab:42:7\n',
      stderr: 'There is no shop/api!99 among the tasks.\n',
    });
    expect(await drydock('get task review:gitlab:42:99 -o json')).toMatchObject({
      code: exitCodes.notFound,
      stdout: '',
    });
    expect((await drydock('get tasks --limit 2')).stderr).toContain('Only 2 of the tasks are shown: --all shows all');
    expect(await drydock('get tasks none/*')).toEqual({ code: 0, stdout: '', stderr: 'No tasks found.\n' });
    expect(await drydock('get pauses')).toEqual({ code: 0, stdout: '', stderr: 'No pauses found.\n' });
    expect((await drydock('get parked')).stderr).toBe('No parked tasks and places found.\n');
  });

  it.each([
    ['get pods', /no "pods": it is one of tasks, deadletters, projects, pauses, parked/],
    ['get tasks !7', /names no task/],
    ['get tasks -l colour=red', /no "colour" here/],
    ['get dl -l state=done', /no "state" here/],
    ['get tasks --sort-by colour', /not sorted by "colour"/],
    ['get tasks --limit none', /--limit wants a whole number/],
    ['get tasks -o xml', /Allowed choices are table, wide, json, yaml, name/],
  ])('refuses %s before it asks the server', async (args, message) => {
    const { code, stdout, stderr } = await drydock(args);

    expect({ code, stdout }).toEqual({ code: exitCodes.usage, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain('--help tells more');
    expect(api.seen).toEqual([]);
  });

  it('watches: prints what changed below, goes on while the server is away, and ends by Ctrl-C', async () => {
    const watching = start(['get', 'tasks', '--watch', '--interval', '1', '-l', 'project=shop/api', '--no-headers']);
    await until(() => watching.stdout().split('\n').length === 5);
    api.misbehave = (request) => {
      request.socket.destroy();
      return true;
    };
    await until(() => watching.stderr().includes('Still trying'));
    api.misbehave = null;
    api.tasks = api.tasks.map((task) => (task.subject.iid === 7 ? { ...task, state: 'leased' } : task));
    await until(() => watching.stdout().split('\n').length === 6);
    watching.stop();
    const { code, stdout, stderr } = await watching.ended;

    expect(code).toBe(exitCodes.interrupted);
    expect(stdout.split('\n')[4]).toMatch(/^review:gitlab:42:7 +shop\/api!7 +leased/);
    expect(stderr).toContain('The server answers again.');
  });

  it('prints all of 10,000 tasks, each once, in a small heap', async () => {
    api.tasks = Array.from({ length: 10_000 }, (_, index) => aTask(index + 1));

    const environment = {
      DRYDOCK_SERVER_URL: api.url,
      DRYDOCK_TOKEN: adminToken,
      NODE_OPTIONS: '--max-old-space-size=20',
    };
    for (const args of ['get tasks --all -o name', 'get tasks --all --no-headers', 'get tasks --all -o json']) {
      const { code, stdout } = await startProcess(args.split(' '), environment).ended;

      const names = stdout.match(/review:gitlab:42:\d+/g);
      expect({ code, rows: names?.length, tasks: new Set(names).size }).toEqual({
        code: 0,
        rows: 10_000,
        tasks: 10_000,
      });
    }
  });
});

describe('the settings of the commands on the server', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-client-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('takes the token from a file, and the server from a flag', async () => {
    await writeFile(join(folder, 'token'), `${viewerToken}\n`);
    const ended = startCommand(
      ['get', 'p', '-o', 'name', '--server', `${api.url}/`, '--token-file', join(folder, 'token')],
      { environment: { DRYDOCK_TOKEN: 'something-else', DRYDOCK_SERVER_URL: 'http://127.0.0.1:1' } },
    ).ended;

    expect(await ended).toMatchObject({ code: 0, stdout: 'gitlab:42\ngitlab:43\n' });
  });

  it.each([
    [{ DRYDOCK_TOKEN: '' }, '', /^No token for the server: set DRYDOCK_TOKEN_FILE/],
    [{ DRYDOCK_TOKEN: 'canary canary' }, '', /DRYDOCK_TOKEN holds more than one token/],
    [{}, '--token-file /nowhere', /DRYDOCK_TOKEN_FILE: \/nowhere cannot be read \(ENOENT\)/],
    [{ DRYDOCK_SERVER_URL: 'canary' }, '', /DRYDOCK_SERVER_URL: an http or https URL/],
    [{ DRYDOCK_SERVER_URL: 'http://ann:canary@127.0.0.1' }, '', /DRYDOCK_SERVER_URL: an address without a user name/],
    [{ DRYDOCK_CA_FILE: '/nowhere' }, '', /DRYDOCK_CA_FILE: \/nowhere cannot be read/],
    [{}, '--timeout never', /DRYDOCK_CLIENT_TIMEOUT_MS/],
    [{ DRYDOCK_TOKEN: 'canary-of-nobody' }, '', /does not know this token/],
  ])('are told when wrong: %j %s', async (environment: Record<string, string>, args, message) => {
    const { code, stdout, stderr } = await drydock(`get tasks ${args}`, environment);

    expect({ code, stdout }).toEqual({ code: exitCodes.config, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('canary');
  });

  it('tells which component does not answer, and what to do', async () => {
    const away = await drydock('get tasks', { DRYDOCK_SERVER_URL: 'http://127.0.0.1:1' });
    api.misbehave = () => true;
    const hung = await drydock('get tasks --timeout 0.2');

    expect(away).toEqual({
      code: exitCodes.failed,
      stdout: '',
      stderr:
        'The server at http://127.0.0.1:1 does not answer: nothing listens there (ECONNREFUSED). Is it running? See DRYDOCK_SERVER_URL and --server.\n',
    });
    expect(hung).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect(hung.stderr).toContain(`The server at ${api.url} did not answer in time`);
  });
});

describe('drydock describe, events and logs', () => {
  it('tell who paused and resumed, and what is parked', async () => {
    const scope = { kind: 'forge', forge: 'gitlab' } as const;
    api.pauseEvents = [
      { atMs: nowMs - 60_000, what: 'paused', who: 'ann', scope, why: 'maintenance' },
      { atMs: nowMs - 5_000, what: 'resumed', who: 'bob', scope, why: '' },
    ];
    api.parked = [
      { kind: 'task', name: 'review:gitlab:42:7', sinceMs: nowMs - 5_000 },
      { kind: 'project', name: 'gitlab:43', sinceMs: nowMs - 60_000 },
    ];

    const events = await drydock('events pauses --no-headers');
    const parked = await drydock('get parked --no-headers');

    expect(events.stdout.split('\n').map((line) => line.split(/\s+/).slice(1, 4))).toEqual([
      ['paused', 'gitlab', 'ann'],
      ['resumed', 'gitlab', 'bob'],
      [],
    ]);
    expect(parked.stdout.split('\n').map((line) => line.split(/\s+/).slice(0, 3))).toEqual([
      ['review:gitlab:42:7', 'task', '5s'],
      ['gitlab:43', 'project', '60s'],
      [''],
    ]);
  });

  it('describes tasks by name and glob', async () => {
    const one = await drydock('describe task shop/api!12');
    const many = await drydock('describe task review:gitlab:43:* review:gitlab:42:99 -o json');

    expect(one.stdout).toMatch(
      /^Name: +review:gitlab:42:12\n[^]*Last error: +model.unavailable[^]*ATTEMPT[^]*scheduler-1/,
    );
    expect(JSON.parse(many.stdout)).toMatchObject({ task: { taskId: 'review:gitlab:43:13' } });
    expect(many).toMatchObject({
      code: exitCodes.notFound,
      stderr: expect.stringContaining('no task review:gitlab:42:99'),
    });
  });

  it('tells the events of a task', async () => {
    expect((await drydock('events shop/api!7')).stdout).toMatch(/^AGE +WHAT +WHO +DETAIL\n5m12s +queued +server/);
    expect(JSON.parse((await drydock('events shop/api!7 -o json')).stdout)).toMatchObject({
      events: [{ who: 'server' }, {}],
    });
    expect(await drydock('events shop/api!99')).toMatchObject({ code: exitCodes.notFound });
    expect(await drydock('events shop/*')).toMatchObject({ code: exitCodes.usage });
  });

  it('tells the log of an attempt, and follows it until it is over', async () => {
    const usage = {
      calls: 0,
      reusedCalls: 0,
      tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      costUsd: null,
    };
    const entry = (seq: number) => ({ seq, atMs: nowMs, event: { kind: 'turn' as const, turn: seq }, usage });
    api.logs = [1, 2, 3, 4, 5].map(entry);
    const whole = await drydock('logs shop/api!7');
    api.isLogOver = false;
    const following = start(['logs', '-f', 'review:gitlab:42:7', '--attempt', '1']);
    await until(() => following.stdout().includes('turn 5'));
    api.logs.push(entry(6));
    await until(() => following.stdout().includes('turn 6'));
    api.isLogOver = true;
    const followed = await following.ended;

    expect(whole.stdout).toBe([1, 2, 3, 4, 5].map((turn) => `2026-11-21T15:00:00Z turn ${String(turn)}\n`).join(''));
    expect(followed).toMatchObject({ code: 0, stdout: `${whole.stdout}2026-11-21T15:00:00Z turn 6\n` });
    expect(api.seen.filter((line) => line.includes('attempt=1')).length).toBeGreaterThan(3);
    expect(await drydock('logs review:gitlab:42:99')).toMatchObject({ code: exitCodes.notFound });
    expect(await drydock('logs shop/api!7 --attempt first')).toMatchObject({ code: exitCodes.usage });
  });

  it('waits with the log of a task whose agent is still to start, when it follows', async () => {
    const missing = JSON.stringify({
      error: { class: 'terminal', code: 'request.not_found', message: 'no agent was started', retryAfterMs: null },
    });
    api.misbehave = (request, response) => {
      if (request.url?.includes('/logs') !== true) return false;
      response.writeHead(404, { 'content-type': 'application/json' }).end(missing);
      return true;
    };
    expect(await drydock('logs shop/api!7')).toMatchObject({ code: exitCodes.notFound });
    expect(await drydock('logs -f shop/api!12')).toMatchObject({ code: exitCodes.notFound });

    const following = start(['logs', '-f', 'shop/api!7']);
    await until(() => api.seen.filter((line) => line.includes('review:gitlab:42:7/logs')).length > 2);
    api.misbehave = null;

    const { code, stderr } = await following.ended;
    expect([code, stderr.split('\n')[0]]).toEqual([0, 'Waiting for an agent to be started.']);
  });
});

it('explains each command with examples', async () => {
  for (const command of ['get', 'describe', 'events', 'logs', 'retry', 'cancel', 'pause', 'resume']) {
    const { code, stdout } = await drydock(`${command} --help`);
    expect({ command, code, hasExamples: stdout.includes('Examples:\n  drydock ') }).toEqual({
      command,
      code: 0,
      hasExamples: true,
    });
  }
});
