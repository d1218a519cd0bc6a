import { describe, expect, it } from '@jest/globals';
import { aMergeRequestOn } from '../a-merge-request.ts';
import { apiOf } from '../api-client.ts';
import { startFakeGitLab } from '../start-fake-gitlab.ts';

const commits = '/projects/acme%2Fshop/repository/commits';
const branches = '/projects/acme%2Fshop/repository/branches';
const aCommit = (changes: object = {}) => ({
  branch: 'work',
  start_branch: 'main',
  commit_message: 'Work',
  actions: [{ action: 'create', file_path: 'c.txt', content: 'c\n' }],
  ...changes,
});

describe('commits through the API', () => {
  it('make a branch and become the head of its merge request', async () => {
    await using gitlab = await startFakeGitLab();
    const { project, dana, danaToken } = await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab, danaToken);
    const actions = [
      {
        action: 'create',
        file_path: 'sub/new é.bin',
        content: Buffer.from([0, 1, 255]).toString('base64'),
        encoding: 'base64',
      },
      { action: 'update', file_path: 'b.txt', content: 'B\n' },
      { action: 'chmod', file_path: 'b.txt', execute_filemode: true },
      { action: 'move', file_path: 'z.txt', previous_path: 'a.txt' },
      { action: 'create', file_path: 'short.txt' },
      { action: 'delete', file_path: 'short.txt' },
    ];

    const first = await call('POST', commits, aCommit({ actions }));
    await call('POST', '/projects/acme%2Fshop/merge_requests', {
      source_branch: 'work',
      target_branch: 'main',
      title: 'W',
    });
    const next = { branch: 'work', commit_message: 'More', actions: [{ action: 'delete', file_path: 'z.txt' }] };
    const second = await call('POST', commits, next);

    expect(first).toMatchObject({ status: 201, body: { title: 'Work', author_name: dana.name } });
    expect(second.status).toBe(201);
    const heads = gitlab.mergeRequest(2).versions.map((version) => version.headSha);
    expect(heads).toEqual([first.body, second.body].map((body) => (body as { id: string }).id));
    const { repository } = project;
    expect(await repository.readFile(heads[0] ?? '', 'sub/new é.bin')).toEqual(Buffer.from([0, 1, 255]));
    const diff = await repository.diff((await repository.branchTip('main')) ?? '', heads[0] ?? '', null);
    expect(diff.files).toMatchObject([
      { newPath: 'b.txt', newMode: '100755', oldMode: '100644' },
      { newPath: 'sub/new é.bin', isNew: true },
      { newPath: 'z.txt', oldPath: 'a.txt', isRenamed: true },
    ]);
  });

  it.each([
    [
      'a branch that is there',
      { branch: 'feature' },
      "A branch called 'feature' already exists. Switch to that branch in order to make changes",
    ],
    [
      'a start that is not there',
      { start_branch: 'gone' },
      'You can only create or edit files when you are on a branch',
    ],
    ['no start of a new branch', { start_branch: null }, 'You can only create or edit files when you are on a branch'],
    [
      'a name that no branch can have',
      { branch: 'a..b' },
      "Something went wrong when we tried to create 'a..b' for you: Branch name is invalid",
    ],
    [
      'a file that is there',
      { actions: [{ action: 'create', file_path: 'a.txt' }] },
      'A file with this name already exists',
    ],
    [
      'a file that is not there',
      { actions: [{ action: 'update', file_path: 'x', content: '' }] },
      "A file with this name doesn't exist",
    ],
    ['a way out', { actions: [{ action: 'create', file_path: '../x' }] }, 'Path cannot include directory traversal'],
  ])('refuse %s', async (_, changes, message) => {
    await using gitlab = await startFakeGitLab();
    const { danaToken } = await aMergeRequestOn(gitlab);

    const answer = await apiOf(gitlab, danaToken)('POST', commits, aCommit(changes));

    expect(answer).toMatchObject({ status: 400, body: { message } });
  });

  it('and branches are for developers, the default branch for maintainers', async () => {
    await using gitlab = await startFakeGitLab();
    const { project } = await aMergeRequestOn(gitlab);
    const reporter = gitlab.createUser({ username: 'reporter' });
    gitlab.setRole(project, reporter, 'reporter');
    const asReporter = apiOf(gitlab, gitlab.createToken(reporter));
    const asBot = apiOf(gitlab);

    const answers = [
      await asReporter('POST', commits, aCommit()),
      await asBot('POST', commits, aCommit({ branch: 'main', start_branch: null })),
      await asReporter('DELETE', `${branches}/feature`),
      await asBot('DELETE', `${branches}/main`),
      await asBot('DELETE', `${branches}/gone`),
      await asBot('DELETE', `${branches}/feature`),
    ];

    expect(answers.map((answer) => answer.status)).toEqual([403, 403, 403, 400, 404, 204]);
    expect(await project.repository.branchTip('feature')).toBeNull();
    expect(gitlab.mergeRequest(1).state).toBe('opened');
  });

  it('are refused where a name or an action is misspelt', async () => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });
    await aMergeRequestOn(gitlab);
    const call = apiOf(gitlab);

    const answers = [
      await call('POST', commits, aCommit({ message: 'x' })),
      await call('POST', commits, aCommit({ actions: [{ action: 'move', file_path: 'x' }] })),
      await call('POST', commits, aCommit({ actions: [{ action: 'create', file_path: 'x', from: 'y' }] })),
      await call('POST', commits, aCommit({ actions: [] })),
    ];

    expect(answers.map((answer) => answer.status)).toEqual([400, 400, 400, 400]);
    expect(gitlab.violations).toHaveLength(4);
  });
});
