import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import { connect, inline, refsOf, signal, start } from './gitlab-forge.contract.ts';

describe('GitLabForge reads', () => {
  it('a merge request with all that decisions need', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);

    const { mergeRequest, isDiffCut } = await forge.readMergeRequest(world.ref, signal);

    const head = (await world.project.repository.branchTip('feature')) ?? '';
    const base = (await world.project.repository.branchTip('main')) ?? '';
    expect(isDiffCut).toBe(false);
    expect(mergeRequest).toEqual({
      v: 1,
      ref: world.ref,
      projectPath: 'group/sub/service',
      webUrl: `${world.gitlab.url}/group/sub/service/-/merge_requests/1`,
      title: 'Draft: A change',
      description: 'Why',
      state: 'opened',
      isDraft: true,
      labels: ['urgent'],
      isReviewRequested: true,
      author: { id: String(world.author.id), username: 'ada', isBot: false },
      authorRole: null,
      sourceBranch: 'feature',
      targetBranch: 'main',
      isFromFork: false,
      headSha: head,
      diffRefs: { headSha: head, baseSha: base, startSha: base },
    });
  });

  it('the role of the author of a fork, and that an author is a bot', async () => {
    await using world = await start();
    const { gitlab, project } = world;
    await using forge = connect(gitlab);
    const renovate = gitlab.createUser({ username: 'renovate', bot: true });
    const fork = await gitlab.createProject({ path: 'renovate/service', forkOf: project });
    await gitlab.push(fork, 'bump', { 'a.ts': 'three\n' }, { by: renovate, from: 'main' });
    const { iid } = await gitlab.openMergeRequest({
      project,
      sourceProject: fork,
      sourceBranch: 'bump',
      title: 'Bump',
      author: renovate,
    });
    const ref = { ...world.ref, iid };

    const stranger = (await forge.readMergeRequest(ref, signal)).mergeRequest;
    gitlab.setRole(project, renovate, 'developer');
    const member = (await forge.readMergeRequest(ref, signal)).mergeRequest;

    expect(stranger).toMatchObject({ isFromFork: true, authorRole: 'none', author: { isBot: true } });
    expect(member.authorRole).toBe('developer');
  });

  it('the id of a project by its path', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);

    expect(await forge.findProject('group/sub/service', signal)).toBe(world.ref.projectId);
    await expect(forge.findProject('group/sub/other', signal)).rejects.toMatchObject({ code: 'forge.not_found' });
  });

  it('no diff refs while GitLab has not prepared the version', async () => {
    const clock = new ManualClock();
    await using world = await start({ clock, diffRefsDelayMs: 3000 });
    await using forge = connect(world.gitlab);

    const early = await forge.readHead(world.ref, signal);
    await clock.advance(4000);
    const later = await forge.readHead(world.ref, signal);

    expect(early.diffRefs).toBeNull();
    expect(later).toMatchObject({ state: 'opened', diffRefs: { headSha: later.headSha } });
  });

  it('that the diff is cut', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);
    const [version] = world.gitlab.mergeRequest(1).versions;
    if (version !== undefined) version.state = 'overflow';

    expect(await forge.readHead(world.ref, signal)).toMatchObject({ isDiffCut: true });
  });

  it('a role, each time anew', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);
    const { projectId } = world.ref;
    const read = () => forge.readRole(projectId, String(world.author.id), signal);

    const roles = [await read()];
    world.gitlab.setRole(world.project, world.author, 'reporter');
    roles.push(await read());
    world.gitlab.setRole(world.project, world.author, null);
    roles.push(await read(), await forge.readRole(projectId, '99999', signal));

    expect(roles.map(({ role }) => role)).toEqual(['maintainer', 'reporter', 'none', 'none']);
  });

  it('only threads and comments of its own, over several pages', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab, { notesPerMinute: 1000 });
    for (let index = 0; index < 60; index += 1) await world.gitlab.comment(world.author, 1, `Comment ${index}`);
    await forge.createNote(world.ref, 'own', signal);
    await forge.createThread(
      world.ref,
      { placement: inline('a.ts', 2), refs: await refsOf(forge, world), body: 'thread' },
      signal,
    );
    const answered = (await forge.listOwnThreads(world.ref, signal)).at(-1);
    await world.gitlab.comment(world.author, 1, 'No', { discussionId: answered?.id ?? '' });

    const threads = await forge.listOwnThreads(world.ref, signal);

    expect(threads).toMatchObject([
      { note: { body: 'own' }, place: null, hasReplies: false, isResolved: false, resolvedBy: null },
      {
        note: { body: 'thread' },
        place: { kind: 'inline', path: 'a.ts', side: 'new', startLine: 2, endLine: 2 },
        hasReplies: true,
      },
    ]);
  });
});

describe('GitLabForge writes', () => {
  it('a thread on a line of a file whose path has signs of a query in it', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);

    const created = await forge.createThread(
      world.ref,
      { placement: inline('b & c=d.ts', 1), refs: await refsOf(forge, world), body: 'Body & more=1' },
      signal,
    );

    expect(created.kind).toBe('created');
    expect(world.gitlab.discussions(1)[0]?.notes[0]).toMatchObject({
      body: 'Body & more=1',
      position: { new_path: 'b & c=d.ts', new_line: 1 },
    });
  });

  it('nothing at a place that GitLab refuses, and says what it said', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);
    const refs = await refsOf(forge, world);

    const refused = await forge.createThread(world.ref, { placement: inline('a.ts', 99), refs, body: 'x' }, signal);

    expect(refused).toMatchObject({ kind: 'refused', why: expect.stringContaining('line_code') });
  });

  it('resolves, edits and deletes, also what is already gone', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);
    await forge.createThread(
      world.ref,
      { placement: inline('a.ts', 2), refs: await refsOf(forge, world), body: 'x' },
      signal,
    );
    const [thread] = await forge.listOwnThreads(world.ref, signal);
    if (thread === undefined) throw new Error('no thread');

    await forge.setResolved(world.ref, thread.id, true, signal);
    const [resolved] = await forge.listOwnThreads(world.ref, signal);
    await forge.setResolved(world.ref, thread.id, false, signal);
    await forge.editNote(world.ref, thread.note.id, 'y', signal);
    const [edited] = await forge.listOwnThreads(world.ref, signal);
    for (let time = 0; time < 2; time += 1) await forge.deleteNote(world.ref, thread.note.id, signal);
    await forge.setResolved(world.ref, thread.id, true, signal);

    expect(resolved).toMatchObject({ isResolved: true, resolvedBy: 'us' });
    expect(edited).toMatchObject({ isResolved: false, note: { body: 'y' } });
    expect(await forge.listOwnThreads(world.ref, signal)).toEqual([]);
    await expect(forge.editNote(world.ref, thread.note.id, 'z', signal)).rejects.toMatchObject({
      code: 'forge.not_found',
    });
  });

  it('a commit status, once', async () => {
    await using world = await start();
    await using forge = connect(world.gitlab);
    const sha = (await forge.readHead(world.ref, signal)).headSha ?? '';
    const status = { name: 'drydock/review', state: 'pending' as const, description: 'Reviewing' };

    for (const state of ['pending', 'pending', 'success', 'success'] as const)
      await forge.setCommitStatus(world.ref, sha, { ...status, state }, signal);

    expect(world.gitlab.statuses(sha)).toMatchObject([{ status: 'success' }]);
  });

  it('no more comments in a minute than it may', async () => {
    const clock = new ManualClock();
    await using world = await start();
    await using forge = connect(world.gitlab, { clock, notesPerMinute: 3 });
    const written: number[] = [];
    const write = async (body: string) => {
      await forge.createNote(world.ref, body, signal);
      written.push(clock.nowMs());
    };
    const startMs = clock.nowMs();

    const writing = Promise.all(['1', '2', '3', '4', '5', '6'].map(write));
    const tooMany = forge.createNote(world.ref, 'seventh', signal);
    await expect(tooMany).rejects.toMatchObject({ code: 'forge.rate_limited', retryAfterMs: 120_000 });
    while (written.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(59_000);
    expect(written).toHaveLength(3);
    await clock.advance(1000);
    await writing;

    expect(written.map((atMs) => atMs - startMs)).toEqual([0, 0, 0, 60_000, 60_000, 60_000]);
  });
});

describe('gitRemote', () => {
  it('tells git where to fetch from, its credential apart', async () => {
    await using forge = connect({ url: 'https://gitlab.example/root/', token: 'glpat-x', caPem: null });

    const remote = forge.gitRemote('group/sub.group/my-service', 7);

    expect(remote.url).toBe('https://gitlab.example/root/group/sub.group/my-service.git');
    expect(remote.headRef).toBe('refs/merge-requests/7/head');
    expect(remote.authorization.reveal()).toBe(`Basic ${Buffer.from('oauth2:glpat-x').toString('base64')}`);
    expect(JSON.stringify(remote)).not.toContain('glpat-x');
    expect(remote.caBundlePem).toBeNull();
  });

  it.each(['../x', 'group/../x', 'a//b', '-x/--upload-pack=sh;', 'a/b?c', 'a/b#c', 'a b/c', 'a/b\n'])(
    'refuses the path %j',
    async (path) => {
      await using forge = connect({ url: 'https://gitlab.example', token: 't', caPem: null });

      expect(() => forge.gitRemote(path, 7)).toThrow('no GitLab project can have');
    },
  );
});

describe('createForge', () => {
  it.each([
    'gitlab.example',
    'ftp://gitlab.example',
    'https://user:secret@gitlab.example',
    'https://gitlab.example?x=1',
    '',
  ])('refuses the address %j at start, without repeating it', (baseUrl) => {
    const make = () => connect({ url: baseUrl, token: 't', caPem: null });

    expect(make).toThrow('https://gitlab.example.com');
    expect(make).not.toThrow('secret');
  });
});
