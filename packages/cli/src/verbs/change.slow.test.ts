import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { exitCodes } from '../exit-codes.ts';
import { aDeadLetter, viewerToken, type FakeControlApi } from '../client/testing/fake-control-api.ts';
import { runAt, startShopApi } from '../testing/shop-control-api.ts';

let api: FakeControlApi;
beforeEach(async () => {
  api = await startShopApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

const drydock = (args: string, environment?: Record<string, string>) => runAt(api, args, environment);

describe('drydock retry and cancel', () => {
  const states = () => Object.fromEntries(api.tasks.map(({ subject, state }) => [subject.iid, state]));

  it('retries what is named, and says what became of each', async () => {
    expect(await drydock('retry shop/api!12 review:gitlab:42:7 shop/api!99')).toEqual({
      code: exitCodes.notFound,
      stdout: 'review:gitlab:42:12 is queued again\nreview:gitlab:42:7 waits already\n',
      stderr: expect.stringContaining('There is no task shop/api!99.'),
    });
    expect(states()).toMatchObject({ 12: 'waiting', 13: 'dead' });
  });

  it('only tells which with --dry-run, whatever is asked for', async () => {
    for (const args of ['--all', 'shop/*', '--selector forge=gitlab', '--selector trigger=pushed'])
      expect((await drydock(`retry ${args} --dry-run`)).stdout.split('\n')).toHaveLength(4);
    expect((await drydock('retry --all --code run.crashed --dry-run -o name')).stdout).toBe('review:gitlab:42:14\n');
    expect((await drydock('cancel --all --dry-run')).stdout).toBe(
      'review:gitlab:42:7 would be cancelled\nreview:gitlab:42:8 would be cancelled\n',
    );
    expect(api.seen.filter((line) => /^POST .*(?:retry|cancel)$/.test(line) && !line.includes('dead-letters'))).toEqual(
      [],
    );
    expect(states()).toEqual({ 7: 'waiting', 8: 'running', 12: 'dead', 13: 'dead', 14: 'dead' });
  });

  it('changes many only when that is said, where nobody can be asked', async () => {
    for (const args of ['retry --all', 'retry shop/*', 'cancel --all']) {
      const { code, stderr } = await drydock(args);
      expect({ code, stderr }).toMatchObject({
        code: exitCodes.usage,
        stderr: expect.stringContaining('--yes says yes'),
      });
    }
    expect(states()).toEqual({ 7: 'waiting', 8: 'running', 12: 'dead', 13: 'dead', 14: 'dead' });

    expect(await drydock('retry shop/api --yes -o name')).toMatchObject({
      code: 0,
      stdout: 'review:gitlab:42:12\nreview:gitlab:42:14\n',
    });
    expect(await drydock('retry --all --yes')).toMatchObject({
      code: 0,
      stdout: 'review:gitlab:43:13 is queued again\n',
    });
    expect((await drydock('cancel -l state=running --yes')).stdout).toContain('is being cancelled');
    expect(await drydock('retry --all --yes')).toMatchObject({ code: 0, stderr: 'No dead letters found.\n' });
  });

  it('replays 100 dead letters in steps', async () => {
    api.tasks = Array.from({ length: 100 }, (_, index) => aDeadLetter(index + 1));

    const { stdout, stderr } = await drydock('retry --selector project=shop/* --code model.unavailable --yes -o name');

    expect(new Set(stdout.trimEnd().split('\n')).size).toBe(100);
    expect(stderr).toBe('Retried 100 dead letters.\n');
  });

  it('refuses what could be meant in two ways', async () => {
    for (const args of [
      'retry',
      'cancel',
      'retry --all shop/api!7',
      'retry -l state=done',
      'retry shop/* --code x',
      'pause',
      'pause --all gitlab',
    ])
      expect(await drydock(args)).toMatchObject({ code: exitCodes.usage, stdout: '' });
    expect(api.seen).toEqual([]);
  });

  it('says that a token may only look', async () => {
    const { code, stderr } = await drydock('cancel shop/api!7', { DRYDOCK_TOKEN: viewerToken });

    expect({ code, stderr }).toMatchObject({
      code: exitCodes.failed,
      stderr: expect.stringContaining('DRYDOCK_ADMIN_TOKENS'),
    });
    expect(states()[7]).toBe('waiting');
  });
});

describe('drydock pause and resume', () => {
  it('pauses forges and projects by name, number and glob, and resumes them', async () => {
    expect(await drydock('pause gitlab shop/api gitlab:77 --why maintenance')).toMatchObject({
      code: 0,
      stdout:
        'gitlab is paused; what runs goes on\ngitlab:42 is paused; what runs goes on\ngitlab:77 is paused; what runs goes on\n',
    });
    expect((await drydock('pause shop/* --yes')).stdout).toBe(
      'gitlab:42 was paused before\ngitlab:43 is paused; what runs goes on\n',
    );
    expect((await drydock('get pauses -o name')).stdout).toBe('gitlab\ngitlab:42\ngitlab:77\ngitlab:43\n');
    expect(await drydock('resume gitlab shop/api')).toMatchObject({
      stdout: 'gitlab goes on\ngitlab:42 goes on\n',
      stderr: 'Still paused: gitlab:77, gitlab:43 (drydock get pauses)\n',
    });
    expect(api.pauses.find(({ why }) => why === 'no reason given')).toBeDefined();
    expect((await drydock('resume gitlab')).stdout).toBe('gitlab was not paused\n');
  });

  it('pauses everything only when that is said', async () => {
    expect(await drydock('pause --all')).toMatchObject({ code: exitCodes.usage });
    expect(api.pauses).toEqual([]);
    expect((await drydock('pause --all --dry-run')).stdout).toBe('all would be paused\n');
    expect((await drydock('pause --all --yes --why costs')).stdout).toBe('everything is paused; what runs goes on\n');
    expect((await drydock('resume --all')).stdout).toBe('everything goes on\n');
  });

  it('doubts a forge that nothing came from, but pauses it', async () => {
    expect(await drydock('pause gitlba')).toEqual({
      code: 0,
      stdout: 'gitlba is paused; what runs goes on\n',
      stderr: 'No project of a forge gitlba is known: is that its name? Known are: gitlab.\n',
    });
    expect(await drydock('pause gitlab')).toMatchObject({ code: 0, stderr: '' });
  });

  it('knows no project that the server does not', async () => {
    expect(await drydock('pause none/here')).toMatchObject({
      code: exitCodes.notFound,
      stderr: expect.stringContaining('No project none/here is known'),
    });
    expect(await drydock('pause shop/api!7')).toMatchObject({ code: exitCodes.usage });
  });
});
